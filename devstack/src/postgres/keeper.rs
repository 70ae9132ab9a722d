//! The shell that has the server as its child, stops it and starts it again, and takes it along when it ends.
//! Never lets the server outlive the process that started it, even one that was killed.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::Durability;

/// Lives as long as its stdin is open, and does what is said there; then the server goes, and its data unless they are kept.
const SHELL: &str = r#"
trap '' INT TERM
bin=$1 data=$2 port=$3 after=$4
shift 4
: >"$data/log"
start() {
  "$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= "$@" >>"$data/log" 2>&1 &
  server=$!
}
stop() {
  [ -n "$server" ] || return
  kill "-$1" "$server"
  wait "$server"
  server=
}
start "$@"
while read -r order signal; do
  case $order in
    start) [ -n "$server" ] || start "$@" ;;
    stop) stop "$signal" ;;
  esac
done
stop INT
[ "$after" = keep ] || rm -rf "$data"
"#;

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Its sessions are ended, and what is committed is written down: as for an update of the server.
    Fast,
    /// As in a crash: nothing is written down, and the next start recovers from the log.
    Immediate,
}

impl Shutdown {
    fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
        }
    }
}

/// The shell with the server in it.
#[derive(Debug)]
pub(super) struct Keeper(Child);

impl Keeper {
    /// Starts the server on this port, 0 for a free one; `after` is what becomes of its data. The shell's user is the server's.
    pub(super) fn start(
        mut shell: Command,
        bin: &Path,
        data: &Path,
        port: u16,
        after: &str,
        durability: Durability,
    ) -> io::Result<(Self, SocketAddr)> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?
            .local_addr()?
            .port();
        shell
            .args(["-c", SHELL, "sh"])
            .arg(bin)
            .arg(data)
            .args([&port.to_string(), after])
            .args(durability.settings());
        let shell = shell.stdin(Stdio::piped()).process_group(0).spawn()?;
        Ok((Self(shell), (Ipv4Addr::LOCALHOST, port).into()))
    }

    /// Has the server stopped, if it runs; it may take a moment.
    pub(super) fn stop_server(&self, how: Shutdown) -> io::Result<()> {
        self.say(&format!("stop {}", how.signal()))
    }

    /// Has the server started, unless it runs; it may take a moment.
    pub(super) fn start_server(&self) -> io::Result<()> {
        self.say("start")
    }

    fn say(&self, order: &str) -> io::Result<()> {
        let mut stdin = self.0.stdin.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(stdin, "{order}")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}
