-- Orders can be delivered and cancelled. Widens only: the binary before this one runs on with it.

set local search_path = write_model;

alter table orders
    add column delivered_at timestamptz,
    add column cancelled_at timestamptz,
    add column reason text,
    drop constraint orders_status_check,
    add constraint orders_status_check check (status in ('placed', 'paid', 'shipped', 'delivered', 'cancelled'));
