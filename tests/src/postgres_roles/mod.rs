//! The roles in PostgreSQL, on each version that we run on: who may migrate, and what each login role must not do.
//! Never as a superuser, who may do everything: administrators here are as strong as Azure's.

mod administrators;
mod cluster;
mod entra;
mod rights;
mod settings;
mod takeover;
