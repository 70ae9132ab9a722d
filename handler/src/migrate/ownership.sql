-- Makes everything of ours orders_migrator's: the database, where it is ours to give, and what whoever migrated before has made.
set local lock_timeout = '5s';
do $$
declare
    database record;
    statement text;
begin
    select d.datname as name, pg_has_role(d.datdba, 'USAGE') as is_ours, d.datdba = to_regrole('orders_migrator') as is_done
    into database from pg_database d where d.datname = current_database();
    if database.is_ours and not database.is_done then
        execute format('alter database %I owner to orders_migrator', database.name);
    end if;
    -- Schemas first: the new owner of what is in them must be allowed to make such things there.
    for statement in
        select format('alter schema %I owner to orders_migrator', nspname)
        from pg_namespace
        where nspname in ('write_model', 'read_model') and nspowner <> to_regrole('orders_migrator')
    loop
        execute statement;
    end loop;
    for statement in
        select format('alter table %s owner to orders_migrator', oid::regclass)
        from pg_class
        where relnamespace in (to_regnamespace('write_model'), to_regnamespace('read_model'))
            and relkind in ('r', 'v') and relowner <> to_regrole('orders_migrator')
        union all
        select format('alter routine %s owner to orders_migrator', oid::regprocedure)
        from pg_proc
        where pronamespace in (to_regnamespace('write_model'), to_regnamespace('read_model'))
            and proowner <> to_regrole('orders_migrator')
    loop
        execute statement;
    end loop;
end $$
