//! One run: a history is committed while processes come and go and everything goes wrong; then nothing goes wrong any more,
//! and the system must get done by itself. Never uses anything but the seed, so the same seed is the same run, step by step.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use handler::{domain::event::RecordedEvent, read::document::Generation};
use tokio::{
    runtime::Builder,
    time::{Instant, sleep_until},
};

use crate::{
    check,
    database::SimulatedDatabase,
    documents::SimulatedStore,
    environment::Environment,
    fault_plan::{FaultPlan, RunCounts},
    job_plan::{JobPlan, JobRequest},
    job_table::JobTable,
    process::Process,
    shop::Shop,
    subscription::RUBBISH,
    topic::SimulatedTopic,
    trouble::Trouble,
};

/// The longest that the system may take to get done once nothing goes wrong any more.
const BOUND_MS: u64 = 10 * 60 * 1_000;
/// The longest that requests may still be on their way then.
const LATE_MS: u64 = 60_000;

/// The outcome of a run.
pub(crate) struct RunReport {
    pub(crate) seed: u64,
    pub(crate) tally: RunCounts,
    pub(crate) events: usize,
    pub(crate) deliveries: u64,
    /// From the end of the trouble until everything was done.
    pub(crate) drained_in: Duration,
    /// The reason of a failure.
    pub(crate) verdict: Result<(), String>,
}

/// Something that is to happen at some time.
enum RunAction {
    Start(usize),
    MayCrash,
    MayBeAway,
    MayGetRubbish,
    AskForJobs,
    Tick,
    Commit(i64, Box<RecordedEvent>),
    Relent,
    Look,
}

/// Everything outside the processes, and the processes.
struct Simulation {
    outside: Environment,
    processes: Vec<Option<Process>>,
    agenda: BTreeMap<u64, VecDeque<RunAction>>,
    jobs: JobPlan,
    /// The last verification is asked for.
    verifies: bool,
    /// Milliseconds between two calls of the timer.
    period: u64,
    relented: Option<u64>,
    done: Option<u64>,
}

/// Plays a seed.
///
/// # Errors
/// When this machine has no runtime for it.
pub(crate) fn run(seed: u64, print: bool) -> io::Result<RunReport> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(runtime.block_on(play(seed, print)))
}

async fn play(seed: u64, print: bool) -> RunReport {
    let plan = Arc::new(FaultPlan::new(seed, print));
    let events = usize::try_from(plan.between(20..=120)).unwrap_or_default();
    let shop = Shop::with(&plan, events);
    let refused = shop
        .log
        .get(plan.pick(shop.log.len()))
        .map(|committed| committed.event.event_id.to_string());
    let database = Arc::new(SimulatedDatabase::new(&plan));
    let outside = Environment {
        jobs: Arc::new(JobTable::new(&plan, &database)),
        database,
        topic: Arc::new(SimulatedTopic::new(
            &plan,
            refused.filter(|_| plan.strikes(Trouble::SendRefused)),
        )),
        documents: Arc::new(SimulatedStore::new(&plan)),
        together: [1, 4, 16][plan.pick(3)],
        plan,
    };
    let mut world = Simulation::new(outside, &shop);
    let late = world.go_on().await;
    let plan = &world.outside.plan;
    let since = |at: u64| Duration::from_millis(at - world.relented.unwrap_or(at));
    let verdict = if late {
        Err(format!(
            "not done {} s after all trouble has ended: {} rows in the outbox, {} messages in the subscription, {}",
            BOUND_MS / 1_000,
            world.outside.database.waiting(),
            world.outside.topic.subscription.waiting(),
            if world.outside.jobs.is_done() {
                "no job"
            } else {
                "a job"
            }
        ))
    } else {
        check::check(&shop, &world.outside, &world.jobs)
    };
    RunReport {
        seed,
        tally: plan.tally(),
        events: shop.log.len(),
        deliveries: world.outside.topic.subscription.deliveries(),
        drained_in: world.done.map(since).unwrap_or_default(),
        verdict,
    }
}

impl Simulation {
    fn new(outside: Environment, shop: &Shop) -> Self {
        let plan = Arc::clone(&outside.plan);
        let processes = usize::try_from(plan.between(1..=3)).unwrap_or(1);
        let mut world = Self {
            outside,
            processes: (0..processes).map(|_| None).collect(),
            agenda: BTreeMap::new(),
            jobs: JobPlan::random(&plan),
            verifies: false,
            period: plan.between(5_000..=30_000),
            relented: None,
            done: None,
        };
        for generation in &world.jobs.forged {
            world.outside.documents.forge(*generation);
        }
        for n in 0..processes {
            world.at(plan.between(0..=2_000), RunAction::Start(n));
        }
        let last = world.plan_commits(shop);
        let end = last.max(30_000) + plan.between(0..=60_000);
        for _ in 0..6 {
            world.at(plan.between(0..=end), RunAction::MayCrash);
            world.at(plan.between(0..=end), RunAction::MayBeAway);
        }
        for _ in 0..2 {
            world.at(plan.between(0..=end), RunAction::MayGetRubbish);
        }
        world.at(plan.between(0..=end / 2), RunAction::AskForJobs);
        // The relay needs it only for what an operator has sent again: what a dead process has left it finds at its next start.
        if plan.percent(75) || world.outside.topic.refused().is_some() {
            world.at(plan.between(0..=world.period), RunAction::Tick);
        }
        world.at(end, RunAction::Relent);
        world
    }

    /// Transactions take their positions one after the other, and become visible when they are done: before those that build
    /// on them, and in any order else. Returns when the last is.
    fn plan_commits(&mut self, shop: &Shop) -> u64 {
        let plan = Arc::clone(&self.outside.plan);
        let pace = [20, 1_000, 10_000][plan.pick(3)];
        let mut visible: BTreeMap<&str, u64> = BTreeMap::new();
        let (mut begun, mut last) = (0, 0);
        for (position, committed) in (1..).zip(&shop.log) {
            begun += plan.between(0..=pace);
            let own = begun + plan.between(0..=300);
            let others = committed
                .touches
                .iter()
                .filter_map(|touched| visible.get(touched.as_str()));
            let at = others.map(|other| other + 1).max().unwrap_or_default().max(own);
            for touched in &committed.touches {
                visible.insert(touched, at);
            }
            self.at(at, RunAction::Commit(position, committed.event.clone().into()));
            last = last.max(at);
        }
        last
    }

    fn at(&mut self, ms: u64, action: RunAction) {
        self.agenda.entry(ms).or_default().push_back(action);
    }

    /// Does what is to be done, until the system is done; true when it never is.
    async fn go_on(&mut self) -> bool {
        let started = Instant::now();
        while let Some((now, actions)) = self.agenda.pop_first() {
            sleep_until(started + Duration::from_millis(now)).await;
            for action in actions {
                if let RunAction::Look = action {
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
                    self.at(now + 500, RunAction::Look);
                } else {
                    self.act(now, action).await;
                }
            }
        }
        true
    }

    /// True when everything is sent and projected, and every job is done. Where there were jobs, a verification is the last.
    fn is_idle(&mut self) -> bool {
        let waiting = self.outside.database.waiting() + self.outside.topic.subscription.waiting();
        let idle = waiting == 0 && self.outside.jobs.is_done();
        if idle && !self.verifies && self.jobs.highest > Generation::FIRST {
            self.verifies = true;
            self.outside.jobs.add(JobRequest::last_verification());
            return false;
        }
        idle
    }

    /// Kills a process if chance has it so; it starts again some time later.
    async fn may_crash(&mut self, now: u64) {
        let plan = Arc::clone(&self.outside.plan);
        let n = plan.pick(self.processes.len());
        if self.processes[n].is_some() && plan.strikes(Trouble::Crash) {
            plan.say(format_args!("process {n} is killed"));
            if let Some(process) = self.processes[n].take() {
                process.kill().await;
            }
            self.at(now + plan.between(1..=20_000), RunAction::Start(n));
        }
    }

    async fn act(&mut self, now: u64, action: RunAction) {
        let plan = Arc::clone(&self.outside.plan);
        match action {
            RunAction::Start(n) => {
                plan.say(format_args!("process {n} starts"));
                self.processes[n] = Some(Process::start(&self.outside));
            }
            RunAction::MayCrash => self.may_crash(now).await,
            RunAction::MayBeAway => {
                if plan.strikes(Trouble::Outage) {
                    // Now and then longer than an invocation waits.
                    let longest = if plan.percent(10) { 600_000 } else { 60_000 };
                    self.outside.documents.away(plan.ms(1..=longest));
                }
            }
            RunAction::MayGetRubbish => {
                if plan.strikes(Trouble::Rubbish) {
                    self.outside.topic.subscription.put(&RUBBISH.into());
                }
            }
            RunAction::AskForJobs => {
                for request in std::mem::take(&mut self.jobs.requests) {
                    self.outside.jobs.add(request);
                }
            }
            RunAction::Tick => {
                // The host has it called in one process.
                let n = plan.pick(self.processes.len());
                if let Some(process) = &mut self.processes[n] {
                    process.tick();
                }
                self.at(now + self.period, RunAction::Tick);
            }
            RunAction::Commit(position, event) => {
                self.outside.database.commit(position, *event);
                let n = plan.pick(self.processes.len());
                if let Some(process) = &self.processes[n] {
                    process.committed();
                }
            }
            RunAction::Relent => {
                plan.say(format_args!("all trouble ends"));
                plan.relent();
                self.outside.documents.away(Duration::ZERO);
                self.outside.topic.take_all();
                self.relented = Some(now);
                self.at(now + 500, RunAction::Look);
            }
            RunAction::Look => {}
        }
    }
}
