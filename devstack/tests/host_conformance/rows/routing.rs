//! Which function gets a request.
//! Never looks into the host: a disabled function answers 404 itself, which tells whose the request was.

use crate::{app::App, http::Call, row::Row};

pub(crate) const ROWS: &[Row] = &[
    Row::http(
        "the first function by name gets a request, however narrow another route is",
        "2, routes have no precedence",
        "of 129 calls 129 went to AnythingElse, whose route was {*path}, none to GetOrder",
        |host| {
            // First, with order/{what}, is disabled; Second has order/fixed.
            assert_eq!(Call::get("/api/order/fixed").send(host).status, 404);
            assert_eq!(Call::get("/api/order/other").send(host).status, 404);
        },
    ),
    Row::process(
        "switching off a function whose requests another one gets has no effect",
        "2, routes have no precedence",
        "AzureWebJobs.GetOrder.Disabled=true had no effect (200)",
        |start| {
            let app = App::new()
                .http("AnythingElse", "{*path}", &[])
                .http("GetOrder", "order/{id}", &["get"])
                .setting("AzureWebJobs.GetOrder.Disabled", "true");
            let host = start.start(&app);
            assert_eq!(Call::get("/api/order/7").send(&host).status, 418);
            host.logged(&["Executed 'Functions.AnythingElse' (Succeeded"]);
        },
    ),
    Row::process(
        "a narrow route is called when its function comes first",
        "2, renamed to ZAnythingElse",
        "GetOrder, Health, PlaceOrder ran under their names, and a disabled ListOrders was 404",
        |start| {
            let app = App::new()
                .http("Echo", "echo/{*rest}", &[])
                .http("First", "order/fixed", &["get"])
                .http("ZCatchAll", "{*path}", &[])
                .setting("AzureWebJobs.First.Disabled", "true");
            let host = start.start(&app);
            assert_eq!(Call::get("/api/order/fixed").send(&host).status, 404);
            assert_eq!(Call::get("/api/order/other").send(&host).status, 418);
            // Its method does not fit, so it does not match.
            assert_eq!(Call::new("PUT", "/api/order/fixed").send(&host).status, 418);
        },
    ),
    Row::process(
        "the log names the function that got a request",
        "2, renamed to ZAnythingElse",
        "each call was logged as its own function's",
        |start| {
            let app = App::new()
                .http("Echo", "echo/{*rest}", &[])
                .http("ZCatchAll", "{*path}", &[]);
            let host = start.start(&app);
            Call::get("/api/anything").send(&host);
            host.logged(&["Executed 'Functions.ZCatchAll' (Succeeded"]);
        },
    ),
    Row::http(
        "what no function takes is 404",
        "3",
        "404 without a body",
        |host| {
            let answer = Call::get("/api/nothing/here").send(host);
            assert_eq!((answer.status, answer.body.len()), (404, 0));
        },
    ),
];
