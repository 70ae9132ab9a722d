//! Which host is played for HTTP: how new it is, what stands before it, and whose its own paths are.
//! It never says what host.json chooses: only what this host knows to do with it.

use clap::ValueEnum;

use super::host_json::HandlerJson;

/// A way to hand an HTTP request to the handler, the newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum HttpMode {
    /// `enableProxyingHttpRequest`, of hosts since 2025: the request itself, streamed both ways.
    #[default]
    Proxying,
    /// `enableForwardingHttpRequest`, of hosts before them: the request made anew, with some of it lost.
    Forwarding,
    /// Neither: `POST /<function>` with the request as JSON.
    Envelope,
}

/// The choices about HTTP.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The newest mode that this host knows; the property of a newer one in host.json means nothing to it.
    pub knows: HttpMode,
    /// True where App Service authentication stands before the host: it says who calls, and takes away what callers say.
    pub easy_auth: bool,
    /// The key to the host's own paths; without one they are open, as under Core Tools.
    pub master_key: Option<String>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            knows: HttpMode::default(),
            easy_auth: true,
            master_key: None,
        }
    }
}

impl HttpOptions {
    /// The mode of an app with this host.json: proxying goes before forwarding.
    pub(super) fn mode(&self, json: &HandlerJson) -> HttpMode {
        match self.knows {
            HttpMode::Proxying if json.proxying => HttpMode::Proxying,
            HttpMode::Proxying | HttpMode::Forwarding if json.forwarding => HttpMode::Forwarding,
            _ => HttpMode::Envelope,
        }
    }
}
