//! The `up` command: the whole system, seeded, until Ctrl-C.
//! It never leaves a process behind when it is asked to stop, and on a server named by `DATABASE_URL` touches
//! only the database that URL names and the role `<database>_app`, where that is its own.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::api::Api;
use crate::app_folder;
use crate::escape;
use crate::host::{HostTimes, HttpOptions, Log, Role, User};
use crate::platform;
use crate::running::{self, StackEntry};
use crate::stack::{
    LikeAzure, Part, PartsLayout, Ports, PostgresChoice, ReadModel, Stack, StackOptions, StorageChoice,
};
use crate::tls::CertificateAuthority;

/// Runs the whole system until Ctrl-C.
#[derive(Debug, Clone, clap::Args)]
pub struct UpArguments {
    /// The port of the Functions host; of the first one with `--parts split`, and the others have the next.
    #[arg(long, default_value_t = 7071)]
    pub port: u16,
    /// A host and a handler for all parts of the system, or for each.
    #[arg(long, value_enum, default_value_t)]
    pub parts: PartsLayout,
    /// Asks for what Azure asks for: TLS everywhere, and an identity for each handler in the place of keys and passwords.
    #[arg(long, conflicts_with = "keep")]
    pub like_azure: bool,
    /// The port of PostgreSQL; not used with `DATABASE_URL`.
    #[arg(long, default_value_t = 5432)]
    pub postgres_port: u16,
    /// The port of Service Bus; not used with `--read-model postgres`.
    #[arg(long, default_value_t = 5672)]
    pub servicebus_port: u16,
    /// The port of Cosmos DB; not used with `--read-model postgres`.
    #[arg(long, default_value_t = 8081)]
    pub cosmos_port: u16,
    /// Store of the documents that queries answer from.
    #[arg(long, value_enum, default_value_t)]
    pub read_model: ReadModel,
    /// Keeps PostgreSQL's data in this folder, for the next `up --keep`; the documents are made anew from the log then.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "/var/tmp/orders-postgres")]
    pub keep: Option<PathBuf>,
    /// The storage account in which the host locks its timers.
    #[arg(long, value_enum, default_value_t)]
    pub storage: StorageChoice,
    /// Signs this user in: customer, staff, operator or staff,operator, with this object id or a random one.
    /// Without it every caller is staff.
    #[arg(long = "as", value_name = "ROLE[,ROLE][:OID]")]
    pub user: Option<User>,
    /// Plays no App Service authentication: what callers say of themselves is passed on, and the handler is not told to believe it.
    #[arg(long, conflicts_with = "user")]
    pub no_easy_auth: bool,
    /// Name of this stack for `cargo operate --stack NAME`, where several are running [default: the port of its host].
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
}

/// Builds, starts, checks, seeds, prints where everything is, and waits.
pub async fn run(args: UpArguments) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let starting = start(args);
    // Whatever has been started by then is ended as `starting` is dropped.
    let (mut stack, _entry) = tokio::select! {
        started = starting => started?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    tokio::select! {
        () = platform::keep_running(&mut stack, |line| eprintln!("{}", escape::line(line))) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    println!("  Stopping; Ctrl-C again stops at once.");
    tokio::select! {
        stopped = stack.stop() => stopped,
        // Whatever still runs is ended as `stack` is dropped.
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

async fn start(args: UpArguments) -> Result<(Stack, StackEntry)> {
    let named = args.stack.as_deref();
    let named = named.map(|name| StackEntry::claim(&running::folder()?, name));
    let named = named.transpose()?;
    let root = app_folder::workspace_root();
    let handler = build_handler().await?;
    // `target/app`, wherever cargo's target folder is.
    let target = handler
        .ancestors()
        .nth(2)
        .context("the handler is in no target folder")?;
    let app_dir = target.join("app");
    app_folder::assemble(&root, &handler, &app_dir)?;
    let auth = args
        .user
        .iter()
        .map(|_| ("AUTH".to_owned(), "easyauth".to_owned()));
    let stack = Stack::start(StackOptions {
        root,
        ports: Ports {
            host: args.port,
            postgres: args.postgres_port,
            servicebus: args.servicebus_port,
            cosmos: args.cosmos_port,
        },
        app_dir,
        log: Log::Terminal,
        faults: false,
        environment: auth.collect(),
        postgres: PostgresChoice::from_environment(args.keep.clone())?,
        read_model: args.read_model,
        storage: args.storage.clone(),
        times: HostTimes::default(),
        http: HttpOptions {
            easy_auth: !args.no_easy_auth,
            ..HttpOptions::default()
        },
        parts: args.parts,
        like_azure: like_azure(&args)?,
    })
    .await?;
    stack.refill().await?;
    stack.check_health().await?;
    let customer = seed(&stack, args.user.as_ref()).await?;
    let mut entry = match named {
        Some(entry) => entry,
        None => {
            let port = stack.url().rsplit(':').next().unwrap_or_default();
            StackEntry::claim(&running::folder()?, port)?
        }
    };
    entry.write(&stack.launch())?;
    announce(&stack, &args, &customer);
    Ok((stack, entry))
}

fn like_azure(args: &UpArguments) -> Result<Option<LikeAzure>> {
    if !args.like_azure {
        return Ok(None);
    }
    let own = std::env::var_os("DATABASE_URL").is_none();
    ensure!(
        own,
        "--like-azure is for a PostgreSQL of its own, and DATABASE_URL names another"
    );
    Ok(Some(LikeAzure(CertificateAuthority::new()?)))
}

/// Fills the shop where it is empty and leaves `user` signed in; gives the customer to order for.
async fn seed(stack: &Stack, user: Option<&User>) -> Result<String> {
    let api = Api::new(stack);
    // What was kept is neither restocked nor given the same customers again.
    let known = stack.customer().await?.map(|customer| customer.to_string());
    let Some(user) = user else {
        return match known {
            Some(customer) => Ok(customer),
            None => api.seed().await,
        };
    };
    let customer = match known {
        Some(customer) => customer,
        None => {
            // Adding products is for staff, whichever user is asked for.
            stack.sign_in(Some(User::new([Role::Staff])));
            api.seed().await?
        }
    };
    stack.sign_in(Some(user.clone()));
    if user.is_customer() {
        return api.register_self(user.id).await;
    }
    Ok(customer)
}

/// Builds the handler, off the threads that serve.
pub(crate) async fn build_handler() -> Result<PathBuf> {
    tokio::task::spawn_blocking(|| app_folder::build_handler("dev")).await?
}

fn announce(stack: &Stack, args: &UpArguments, customer: &str) {
    let user = args.user.as_ref();
    println!();
    for (part, url) in stack.urls() {
        println!("  {:<12} {url}/api", part.map_or("API", Part::title));
    }
    if stack.azure().is_some() {
        println!(
            "  For you alone, without an identity (PostgreSQL takes TLS only: psql \"<url>?sslmode=require\"):"
        );
    }
    println!("  PostgreSQL   {}", stack.postgres_url());
    if args.read_model == ReadModel::Cosmos {
        println!("  Service Bus  {}", stack.servicebus_connection_string());
        println!(
            "  Cosmos DB    {}  key {}",
            stack.cosmos_endpoint(),
            stack.cosmos_key()
        );
    }
    if let Some(storage) = stack.storage_connection_string() {
        println!("  Storage      {storage}");
    }
    if let Some(user) = user {
        println!("  Signed in    {user}");
    }
    println!();
    if user.is_none_or(|user| user.is_customer() || user.roles.contains(&Role::Staff)) {
        announce_order(stack, customer);
    }
    println!("  Ctrl-C stops everything.");
}

/// Shown to those who may place one.
fn announce_order(stack: &Stack, customer: &str) {
    println!("  Place an order:");
    println!(
        "  curl -i {}/api/orders -H 'content-type: application/json' \\",
        stack.url()
    );
    println!(
        "    -d '{{\"customerId\":\"{customer}\",\"lines\":[{{\"sku\":\"MUG-BLUE\",\"quantity\":2}}]}}'"
    );
    println!("  Read it back, with the id of the answer:");
    println!("  curl -s {}/api/orders/<id>", stack.url_of("GET", "/orders/id"));
    println!();
}
