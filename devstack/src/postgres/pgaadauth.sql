-- A stand-in for the functions by which Azure maps roles to principals of Microsoft Entra: the same names, signatures and columns, in
-- the same place, and as strict. docs/adr/0021 has the source of each rule. The mapping is the comment on the role, as Azure's is a
-- security label: it goes with the role.
set allow_system_table_mods = on;

do $$ begin
    create role azure_pg_admin nologin;
exception when duplicate_object or unique_violation then null;
end $$;

create or replace function pg_catalog.pgaadauth_list_principals(isadminvalue boolean)
returns table (rolname name, principaltype text, objectid text, tenantid text, ismfa integer, isadmin integer)
language sql stable set search_path = pg_catalog as $$
    select r.rolname, substring(label from ',type=([a-z]+)'), substring(label from ',oid=([0-9a-f-]+)'),
        '00000000-0000-0000-0000-000000000000', (label like '%,mfa')::integer, (label ~ ',admin(,|$)')::integer
    from pg_roles r, shobj_description(r.oid, 'pg_authid') label
    where label like 'aadauth,%' and (not isadminvalue or label ~ ',admin(,|$)')
$$;

-- With the rights of its owner: whether the caller may alter what is made here is not documented, so he may not.
create or replace function pg_catalog.pgaadauth_create_principal_with_oid(
    rolename text, objectid text, objecttype text, isadmin boolean, ismfa boolean)
returns text language plpgsql security definer set search_path = pg_catalog as $$
declare
    oid constant uuid := objectid;
    label text := format('aadauth,oid=%s,type=%s', oid, objecttype);
begin
    if objecttype not in ('user', 'group', 'service') then
        raise exception 'incorrect object type provided for principal: %', objecttype;
    end if;
    -- One at a time, or two could take the same object.
    perform pg_advisory_xact_lock(hashtext('pgaadauth'));
    if exists (select from pgaadauth_list_principals(false) p where p.objectid = oid::text) then
        raise exception 'Updating an existing principal isn''t supported. Drop and recreate the Microsoft Entra principal.';
    end if;
    execute format('create role %I login %s', rolename, case when isadmin then 'createrole createdb in role azure_pg_admin' end);
    if isadmin then
        label := label || ',admin';
    end if;
    if ismfa then
        label := label || ',mfa';
    end if;
    execute format('comment on role %I is %L', rolename, label);
    return format('Created role for %I', rolename);
end $$;

revoke execute on function
    pg_catalog.pgaadauth_list_principals(boolean),
    pg_catalog.pgaadauth_create_principal_with_oid(text, text, text, boolean, boolean)
from public;
grant execute on function
    pg_catalog.pgaadauth_list_principals(boolean),
    pg_catalog.pgaadauth_create_principal_with_oid(text, text, text, boolean, boolean)
to azure_pg_admin;
