//! What GetOrder costs at least: axum, the Cosmos DB client with its own settings, one point read, and JSON.
//! Never checks who asks or for what, never logs, and knows one path.

use std::env;

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use azure_core::credentials::Secret;
use azure_data_cosmos::{
    AccountEndpoint, AccountReference, CosmosClient, CosmosError, RoutingStrategy, clients::ContainerClient,
};
use serde_json::Value;
use tokio::net::TcpListener;

use super::parent::{tell, until_alone};

pub(super) async fn run() -> Result<()> {
    let endpoint: AccountEndpoint = env::var("COSMOS_ENDPOINT")?.parse()?;
    let key = Secret::from(env::var("COSMOS_KEY")?);
    let account = AccountReference::with_authentication_key(endpoint, key);
    let client = CosmosClient::builder()
        .build(account, RoutingStrategy::PreferredRegions(Vec::new()))
        .await?;
    let database = client.database_client(&env::var("COSMOS_DATABASE")?);
    let orders = database.container_client("orders", None).await?;
    let router = Router::new()
        .route("/api/orders/{id}", get(order))
        .with_state(orders);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    tell(listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, router) => served.context("serving"),
        ended = until_alone(|| 0) => ended,
    }
}

async fn order(
    State(orders): State<ContainerClient>,
    Path(id): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    let document = read(&orders, &id).await;
    document
        .map(|document| Json(shown(document)))
        .map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn read(orders: &ContainerClient, id: &str) -> Result<Value, CosmosError> {
    orders
        .read_item(format!("1|{id}"), "order", None)
        .await?
        .into_model()
}

/// The document as callers know it: under its own id, without what is the store's and the projection's.
fn shown(mut document: Value) -> Value {
    if let Value::Object(members) = &mut document {
        for name in ["pk", "gen", "kind", "changedAt"] {
            members.remove(name);
        }
        members.retain(|name, _| !name.starts_with('_'));
        if let Some(id) = members.remove("orderId") {
            members.insert("id".to_owned(), id);
        }
    }
    document
}
