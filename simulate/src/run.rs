//! One run: a history is committed while processes come and go and everything goes wrong; then nothing goes wrong any more,
//! and the system must get done by itself. Never uses anything but the seed, so the same seed is the same run, step by step.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use handler::domain::event::RecordedEvent;
use tokio::{
    runtime::Builder,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    check,
    database::Database,
    documents::Documents,
    fate::{Fate, Tally},
    process::{Outside, Process},
    rebuild::rebuild,
    shop::Shop,
    subscription::RUBBISH,
    topic::Topic,
    trouble::Trouble,
};

/// The longest that the system may take to get done once nothing goes wrong any more.
const BOUND_MS: u64 = 5 * 60 * 1_000;
/// The longest that requests may still be on their way then.
const LATE_MS: u64 = 60_000;

/// The outcome of a run.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) tally: Tally,
    pub(crate) events: usize,
    pub(crate) deliveries: u64,
    /// From the end of the trouble until everything was done.
    pub(crate) drained_in: Duration,
    /// The reason of a failure.
    pub(crate) verdict: Result<(), String>,
}

/// Something that is to happen at some time.
enum Action {
    Start(usize),
    MayCrash,
    MayBeAway,
    MayGetRubbish,
    Rebuild,
    Tick,
    Commit(i64, Box<RecordedEvent>),
    Relent,
    Look,
}

/// Everything outside the processes, and the processes.
struct World {
    outside: Outside,
    processes: Vec<Option<Process>>,
    /// A terminal in which another generation is being filled.
    rebuild: JoinSet<()>,
    agenda: BTreeMap<u64, VecDeque<Action>>,
    rebuilds: bool,
    /// Milliseconds between two calls of the timer.
    period: u64,
    relented: Option<u64>,
    done: Option<u64>,
}

/// Plays a seed.
///
/// # Errors
/// When this machine has no runtime for it.
pub(crate) fn run(seed: u64, print: bool) -> io::Result<Report> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(runtime.block_on(play(seed, print)))
}

async fn play(seed: u64, print: bool) -> Report {
    let fate = Arc::new(Fate::new(seed, print));
    let events = usize::try_from(fate.between(20..=120)).unwrap_or_default();
    let shop = Shop::with(&fate, events);
    let refused = shop
        .log
        .get(fate.pick(shop.log.len()))
        .map(|committed| committed.event.event_id.to_string());
    let outside = Outside {
        database: Arc::new(Database::new(&fate)),
        topic: Arc::new(Topic::new(
            &fate,
            refused.filter(|_| fate.strikes(Trouble::SendRefused)),
        )),
        documents: Arc::new(Documents::new(&fate)),
        together: [1, 4, 16][fate.pick(3)],
        fate,
    };
    let mut world = World::new(outside, &shop);
    let late = world.go_on().await;
    let fate = &world.outside.fate;
    let since = |at: u64| Duration::from_millis(at - world.relented.unwrap_or(at));
    let verdict = if late {
        Err(format!(
            "not done {} s after all trouble has ended: {} rows in the outbox, {} messages in the subscription",
            BOUND_MS / 1_000,
            world.outside.database.waiting(),
            world.outside.topic.subscription.waiting()
        ))
    } else {
        let generations: &[u32] = if world.rebuilds { &[1, 2] } else { &[1] };
        check::check(&shop, &world.outside, generations)
    };
    Report {
        seed,
        tally: fate.tally(),
        events: shop.log.len(),
        deliveries: world.outside.topic.subscription.deliveries(),
        drained_in: world.done.map(since).unwrap_or_default(),
        verdict,
    }
}

impl World {
    fn new(outside: Outside, shop: &Shop) -> Self {
        let fate = Arc::clone(&outside.fate);
        let processes = usize::try_from(fate.between(1..=3)).unwrap_or(1);
        let mut world = Self {
            outside,
            processes: (0..processes).map(|_| None).collect(),
            rebuild: JoinSet::new(),
            agenda: BTreeMap::new(),
            rebuilds: fate.percent(25),
            period: fate.between(5_000..=30_000),
            relented: None,
            done: None,
        };
        for n in 0..processes {
            world.at(fate.between(0..=2_000), Action::Start(n));
        }
        let last = world.plan_commits(shop);
        let end = last.max(30_000) + fate.between(0..=60_000);
        for _ in 0..6 {
            world.at(fate.between(0..=end), Action::MayCrash);
            world.at(fate.between(0..=end), Action::MayBeAway);
        }
        for _ in 0..2 {
            world.at(fate.between(0..=end), Action::MayGetRubbish);
        }
        if world.rebuilds {
            world.at(fate.between(0..=end), Action::Rebuild);
        }
        // The relay needs it only for what an operator has sent again: what a dead process has left it finds at its next start.
        if fate.percent(75) || world.outside.topic.refused().is_some() {
            world.at(fate.between(0..=world.period), Action::Tick);
        }
        world.at(end, Action::Relent);
        world
    }

    /// Transactions take their positions one after the other, and become visible when they are done: before those that build
    /// on them, and in any order else. Returns when the last is.
    fn plan_commits(&mut self, shop: &Shop) -> u64 {
        let fate = Arc::clone(&self.outside.fate);
        let pace = [20, 1_000, 10_000][fate.pick(3)];
        let mut visible: BTreeMap<&str, u64> = BTreeMap::new();
        let (mut begun, mut last) = (0, 0);
        for (position, committed) in (1..).zip(&shop.log) {
            begun += fate.between(0..=pace);
            let own = begun + fate.between(0..=300);
            let others = committed
                .touches
                .iter()
                .filter_map(|touched| visible.get(touched.as_str()));
            let at = others.map(|other| other + 1).max().unwrap_or_default().max(own);
            for touched in &committed.touches {
                visible.insert(touched, at);
            }
            self.at(at, Action::Commit(position, committed.event.clone().into()));
            last = last.max(at);
        }
        last
    }

    fn at(&mut self, ms: u64, action: Action) {
        self.agenda.entry(ms).or_default().push_back(action);
    }

    /// Does what is to be done, until the system is done; true when it never is.
    async fn go_on(&mut self) -> bool {
        let started = Instant::now();
        while let Some((now, actions)) = self.agenda.pop_first() {
            sleep_until(started + Duration::from_millis(now)).await;
            for action in actions {
                if let Action::Look = action {
                    self.outside.database.unpark();
                    let idle = self.is_idle();
                    self.done = self.done.or(Some(now).filter(|_| idle));
                    if idle && self.done.is_some_and(|done| now >= done + LATE_MS) {
                        return false;
                    }
                    if self
                        .relented
                        .is_some_and(|relented| now > relented + BOUND_MS + LATE_MS)
                    {
                        return true;
                    }
                    self.at(now + 500, Action::Look);
                } else {
                    self.act(now, action).await;
                }
            }
        }
        true
    }

    /// The rebuild is killed, and goes on later.
    async fn kill_rebuild(&mut self, now: u64) {
        let fate = Arc::clone(&self.outside.fate);
        while self.rebuild.try_join_next().is_some() {}
        if !self.rebuild.is_empty() && fate.strikes(Trouble::Crash) {
            fate.say(format_args!("the rebuild is killed"));
            self.rebuild.shutdown().await;
            self.at(now + fate.between(1..=20_000), Action::Rebuild);
        }
    }

    /// True when everything is sent, projected and rebuilt.
    fn is_idle(&mut self) -> bool {
        while self.rebuild.try_join_next().is_some() {}
        let waiting = self.outside.database.waiting() + self.outside.topic.subscription.waiting();
        waiting == 0 && self.rebuild.is_empty()
    }

    async fn act(&mut self, now: u64, action: Action) {
        let fate = Arc::clone(&self.outside.fate);
        match action {
            Action::Start(n) => {
                fate.say(format_args!("process {n} starts"));
                self.processes[n] = Some(Process::start(&self.outside));
            }
            Action::MayCrash => {
                let n = fate.pick(self.processes.len() + 1);
                if n == self.processes.len() {
                    self.kill_rebuild(now).await;
                } else if self.processes[n].is_some() && fate.strikes(Trouble::Crash) {
                    fate.say(format_args!("process {n} is killed"));
                    if let Some(process) = self.processes[n].take() {
                        process.kill().await;
                    }
                    self.at(now + fate.between(1..=20_000), Action::Start(n));
                }
            }
            Action::MayBeAway => {
                if fate.strikes(Trouble::Outage) {
                    // Now and then longer than an invocation waits.
                    let longest = if fate.percent(10) { 600_000 } else { 60_000 };
                    self.outside.documents.away(fate.ms(1..=longest));
                }
            }
            Action::MayGetRubbish => {
                if fate.strikes(Trouble::Rubbish) {
                    self.outside.topic.subscription.put(&RUBBISH.into());
                }
            }
            Action::Rebuild => {
                fate.say(format_args!("a rebuild is begun, or gone on with"));
                self.rebuild.spawn(rebuild(self.outside.clone()));
            }
            Action::Tick => {
                // The host has it called in one process.
                let n = fate.pick(self.processes.len());
                if let Some(process) = &mut self.processes[n] {
                    process.tick();
                }
                self.at(now + self.period, Action::Tick);
            }
            Action::Commit(position, event) => {
                self.outside.database.commit(position, *event);
                let n = fate.pick(self.processes.len());
                if let Some(process) = &self.processes[n] {
                    process.committed();
                }
            }
            Action::Relent => {
                fate.say(format_args!("all trouble ends"));
                fate.relent();
                self.outside.documents.away(Duration::ZERO);
                self.outside.topic.take_all();
                self.relented = Some(now);
                self.at(now + 500, Action::Look);
            }
            Action::Look => {}
        }
    }
}
