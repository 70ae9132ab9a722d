//! The shell that has the server as its child, stops it and starts it again, and takes it along when it ends.
//! Never lets the server outlive the process that started it, even one that was killed.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use nix::unistd::User;
use tempfile::TempDir;

use super::user::{as_user, give};

/// Lives as long as its stdin is open, and does what is said there; then the server goes, and its data unless they are kept. The file
/// `ended.N` is there when the server of the Nth start has gone, also by itself: the last end of its pipe is closed then.
const SHELL: &str = r#"
trap '' INT TERM
bin=$1 data=$2 port=$3 after=$4 signs=$5
shift 5
starts=0
: >"$data/log"
start() {
  starts=$((starts + 1))
  mkfifo "$signs/alive.$starts"
  "$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= "$@" \
    >>"$data/log" 2>&1 9>"$signs/alive.$starts" &
  server=$!
  { cat "$signs/alive.$starts"; : >"$signs/ended.$starts"; } >/dev/null 2>&1 &
}
stop() {
  [ -n "$server" ] || return
  kill "-$1" "$server" 2>/dev/null
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

/// The way in which a server is stopped.
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
pub(super) struct Keeper {
    shell: Child,
    /// The folder in which the shell says that a server has ended.
    signs: TempDir,
    starts: AtomicU32,
}

impl Keeper {
    /// Starts the server on this port, 0 for a free one; `after` is what becomes of its data.
    pub(super) fn start(
        user: Option<&User>,
        bin: &Path,
        data: &Path,
        port: u16,
        after: &str,
        settings: &[String],
    ) -> io::Result<(Self, SocketAddr)> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?
            .local_addr()?
            .port();
        let signs = tempfile::tempdir()?;
        give(signs.path(), user)?;
        let mut shell = as_user(Command::new("sh"), user);
        shell
            .args(["-c", SHELL, "sh"])
            .arg(bin)
            .arg(data)
            .args([&port.to_string(), after])
            .arg(signs.path())
            .args(settings);
        let keeper = Self {
            shell: shell.stdin(Stdio::piped()).process_group(0).spawn()?,
            signs,
            starts: AtomicU32::new(1),
        };
        Ok((keeper, (Ipv4Addr::LOCALHOST, port).into()))
    }

    /// True when the server that was started last has gone.
    pub(super) fn has_ended(&self) -> bool {
        let start = self.starts.load(Ordering::Relaxed);
        self.signs.path().join(format!("ended.{start}")).exists()
    }

    /// Has the server stopped, if it runs; it may take a moment.
    pub(super) fn stop_server(&self, how: Shutdown) -> io::Result<()> {
        self.say(&format!("stop {}", how.signal()))
    }

    /// Has the server started, unless it runs; it may take a moment.
    pub(super) fn start_server(&self) -> io::Result<()> {
        self.say("start")?;
        self.starts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn say(&self, order: &str) -> io::Result<()> {
        let mut stdin = self.shell.stdin.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(stdin, "{order}")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ended = self.shell.wait();
    }
}
