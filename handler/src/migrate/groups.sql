-- The groups of the whole server, and the way for whoever runs this to be orders_migrator. All of it or nothing.
do $$
declare
    -- Before 16 whoever is a member may always take the role.
    may_take constant text := case when current_setting('server_version_num')::int < 160000 then 'MEMBER' else 'SET' end;
    name text;
begin
    foreach name in array array['orders_migrator', 'orders_command', 'orders_query', 'orders_operator'] loop
        if to_regrole(name) is null then
            execute format('create role %I nologin', name);
            -- So that it is enough to be orders_migrator for making a login role a member.
            if name <> 'orders_migrator' then
                execute format('grant %I to orders_migrator with admin option', name);
            end if;
        end if;
    end loop;
    if not pg_has_role('orders_migrator', may_take) then
        execute format('grant orders_migrator to %I', current_user);
    end if;
    -- Azure's administrators are its members: the next one is another.
    if to_regrole('azure_pg_admin') is not null and not pg_has_role('azure_pg_admin', 'orders_migrator', may_take) then
        begin
            grant orders_migrator to azure_pg_admin with admin option;
        exception when insufficient_privilege then
            raise warning 'orders_migrator cannot be granted to azure_pg_admin: another administrator has to be made a member';
        end;
    end if;
end $$
