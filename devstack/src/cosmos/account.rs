//! What the service in memory leaves out of the account's description.
//! It never changes what a client is told about regions and consistency.

use serde_json::{Value, json};
use url::Url;

/// Sets the limits of queries, which clients read before their first query: Microsoft's .NET client keeps what it makes
/// of an empty list and ends its process when that is collected.
pub(super) fn complete(account: &mut Value, endpoint: &Url) {
    let limits = json!({
        "allowNewKeywords": true,
        "enableSpatialIndexing": true,
        "maxInExpressionItemsCount": i32::MAX,
        "maxJoinsPerSqlQuery": 10,
        "maxLogicalAndPerSqlQuery": i32::MAX,
        "maxLogicalOrPerSqlQuery": i32::MAX,
        "maxQueryRequestTimeoutFraction": 0.9,
        "maxSpatialQueryCells": i32::MAX,
        "maxSqlQueryInputLength": 524_288,
        "maxUdfRefPerSqlQuery": 10,
        "queryMaxInMemorySortDocumentCount": -1000,
        "spatialMaxGeometryPointCount": 256,
        "sqlAllowAggregateFunctions": true,
        "sqlAllowGroupByClause": true,
        "sqlAllowLike": true,
        "sqlAllowNonFiniteNumbers": false,
        "sqlAllowScalarSubQuery": true,
        "sqlAllowSubQuery": true,
        "sqlAllowTop": true,
        "sqlDisableQueryILOptimization": false
    });
    // The store knows one address, and clients of each way into the account must stay on theirs.
    for locations in ["writableLocations", "readableLocations"] {
        for location in account[locations].as_array_mut().into_iter().flatten() {
            location["databaseAccountEndpoint"] = Value::String(endpoint.to_string());
        }
    }
    account["queryEngineConfiguration"] = Value::String(limits.to_string());
}
