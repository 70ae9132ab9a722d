-- How often the work on an operation has panicked where it stands now: three times, and it has failed. Widens only.

set local search_path = write_model;

alter table operations add column panics integer not null default 0;
