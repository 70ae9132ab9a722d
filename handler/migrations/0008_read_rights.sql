-- What queries read of the log, and the schema's version, as views in read_model: whoever answers queries needs no right on the
-- schema write_model. Widens only.

create view read_model.schema_version as
    select version from write_model.schema_version;

-- Of orders only: customers and products have streams too, which no query shows.
create view read_model.history as
    select stream, version, type, occurred_at, data from write_model.events where starts_with(type, 'orders.Order');
