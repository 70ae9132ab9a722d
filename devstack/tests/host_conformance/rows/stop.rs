//! The end of a host by SIGTERM: what is finished, what goes on meanwhile, and what is cut short.
//! Never asks the host for anything once its port is closed: the handler is asked itself.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    app::App,
    bus::{Bus, FUNCTION},
    host::{Host, Start, eventually},
    http::Call,
    probe::{address, calls, is_running, pid, release},
    row::Row,
};

/// A timer that is due all the time.
fn ticking() -> App {
    App::whole().timer("Tick", "* * * * * *")
}

/// A message is held by a handler whose host ends so; its first delivery to the next host.
fn second_delivery(start: &Start, end: fn(&Host)) {
    let bus = Bus::start("PT5S", 3);
    let host = start.start_hurried(&bus.app().setting("PROBE_PROJECT", "hold"));
    bus.send("m-1", "{}");
    calls(&host, FUNCTION, 1);
    end(&host);
    host.ended();
    let next = start.start_hurried(&bus.app());
    let calls = calls(&next, FUNCTION, 1);
    assert_eq!(calls[0]["Metadata"]["DeliveryCount"], "2");
}

pub(crate) const ROWS: &[Row] = &[
    Row::process(
        "SIGTERM closes the port, HTTP is drained while triggers go on, and the host ends with 0",
        "2, SIGTERM",
        "the port closed after 0.1 s, HTTP had its time, triggers went on firing; then 0, and the handler was killed",
        |start| {
            let host = start.start(&ticking());
            let (handler, process) = (address(&host), pid(&host));
            let asking = host.clone();
            let asking = thread::spawn(move || Call::get("/api/held").send(&asking));
            calls(&host, "held", 1);
            host.signal(Signal::SIGTERM);
            eventually("the port is closed", || TcpStream::connect(&host.address).err());
            // Two more, so that one has begun after the port was closed.
            let ticks = calls(&handler, "Tick", 0).len();
            calls(&handler, "Tick", ticks + 2);
            assert!(host.exit_code().is_none(), "a request is under way");
            release(&handler);
            assert_eq!(asking.join().expect("an answer").status, 200);
            assert_eq!(host.ended(), 0);
            assert!(!is_running(process));
        },
    ),
    Row::process(
        "HTTP under way has 30 s, triggers 10 s more, and then the handler is killed",
        "2, SIGTERM",
        "HTTP had up to 30 s, then listeners stopped (at most 10 s), then the host ended with 0; the stand-in's times are a 20th",
        |start| {
            let host = start.start_hurried(&ticking().setting("PROBE_TICK", "hold"));
            let process = pid(&host);
            let asking = host.clone();
            let asking = thread::spawn(move || Call::get("/api/hang").try_send(&asking));
            calls(&host, "Tick", 1);
            let asked = Instant::now();
            host.signal(Signal::SIGTERM);
            assert_eq!(host.ended(), 0);
            let (took, limits) = (asked.elapsed(), start.hurried(30) + start.hurried(10));
            assert!(
                took >= limits && took < limits + Duration::from_secs(10),
                "{took:?}"
            );
            assert!(!is_running(process));
            let answer = asking.join().expect("no panic");
            assert!(answer.is_none_or(|answer| answer.status >= 500));
        },
    ),
    Row::process(
        "a message that is longer under way than the stop lasts comes again when its lock ends",
        "2, SIGTERM",
        "a message call longer than 10 s was delivered again, with DeliveryCount 2; the stand-in's times are a 20th",
        |start| second_delivery(start, |host| host.signal(Signal::SIGTERM)),
    ),
    Row::process(
        "a message of a host that was killed comes again when its lock ends",
        "6, chaos",
        "until the locks of the killed host ran out, some documents were behind",
        |start| second_delivery(start, |host| host.signal(Signal::SIGKILL)),
    ),
];
