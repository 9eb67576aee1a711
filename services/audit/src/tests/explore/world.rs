//! Two processes, their clients and their log, one step after the other.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    pin::Pin,
    sync::{Arc, LazyLock},
};

use ::store::steer::{Asked, Fate, Step};
use tokio::sync::{mpsc, oneshot};

use super::{super::*, Scope, log::Stored};
use crate::{
    domain::{self, Record},
    log::Log,
    sequencer::{Place, Refused, Waiter, Work},
    witness::Halt,
};

const TIME_MS: u64 = 1_790_000_000_000;

/// What clients send.
pub(super) static RECORDS: LazyLock<Vec<Arc<Record>>> = LazyLock::new(|| {
    let record = |number| Arc::new(domain::check(append::sent(access(number))).ok().unwrap());
    (0..3).map(record).collect()
});

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// The process starts, or takes all records that wait for it as one batch.
    Begin(usize),
    /// What the process waits for takes place, and ends so.
    Ends(usize, Fate),
    /// The process dies, and with it what it had in memory.
    Crash(usize),
    /// It is the other one's turn.
    Turn,
    /// A transaction of a process that died arrives.
    Land(usize),
    /// A client sends again what had no answer, to this process.
    Repeat(usize, usize),
}

type Running = Pin<Box<dyn Future<Output = Option<Box<Work>>>>>;

enum State {
    Down,
    Idle(Box<Work>),
    Busy(Running, Asked),
}

struct Process {
    store: Store,
    asks: mpsc::UnboundedReceiver<Asked>,
    state: State,
    /// What it has in memory between two batches, and all that it was told since: of two with the same, each does what the other does.
    told: u64,
}

enum Sent {
    Waits(usize),
    Taken(usize, oneshot::Receiver<Result<Place, Refused>>),
    Failed(usize),
    Done,
}

struct Client {
    /// Which of its records.
    at: usize,
    sent: Sent,
}

pub(super) struct World {
    database: Store,
    keys: Arc<Keys>,
    scope: &'static Scope,
    left: usize,
    /// Whether anything failed: without that nobody is refused.
    failed: bool,
    processes: [Process; 2],
    turn: usize,
    /// Transactions of processes that died, and what those had been told.
    flying: Vec<(Asked, u64)>,
    clients: Vec<Client>,
    stored: Stored,
}

/// The moment at which everything happens.
fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap()
}

impl World {
    pub(super) async fn new(scope: &'static Scope) -> Self {
        let database = Store::in_memory(migrations()).await.unwrap();
        let process = || {
            let (store, asks) = database.steered(scope.words);
            Process { store, asks, state: State::Down, told: 0 }
        };
        let processes = [process(), process()];
        let world = Self {
            keys: Arc::new(keys()),
            scope,
            left: 0,
            failed: false,
            processes,
            turn: 0,
            flying: Vec::new(),
            clients: Vec::new(),
            stored: Stored::default(),
            database,
        };
        // The key of the day is there: what comes of making one is shown elsewhere (`keys`).
        let day = Clock::fixed(now()).today();
        world.keys.records.data_key(&world.database, day).await.unwrap();
        if !scope.keyed {
            world.stored.without_keys(&world.database).await;
        }
        world
    }

    /// Nobody has started, and there is no log yet; or both have, and it is empty.
    pub(super) async fn begin(&mut self) {
        for process in &mut self.processes {
            (process.state, process.told) = (State::Down, 0);
        }
        self.flying.clear();
        (self.left, self.failed, self.turn) = (self.scope.disturbances, false, 0);
        let client = |(to, _): &(usize, _)| Client { at: 0, sent: Sent::Waits(*to) };
        self.clients = self.scope.clients.iter().map(client).collect();
        self.stored.empty(&self.database).await;
        if self.scope.started {
            for process in [0, 1] {
                self.run(process).await;
                while matches!(self.processes[process].state, State::Busy(..)) {
                    self.goes_on(process, Fate::Well).await;
                    self.stored.grows(&self.database).await.unwrap();
                }
            }
        }
    }

    pub(super) async fn end(self) {
        self.database.close().await;
    }

    /// What can happen next; the first is what happens when nothing goes wrong. Nothing at the end.
    pub(super) fn possible(&self) -> Vec<Act> {
        let failed = self.clients.iter().position(|client| matches!(client.sent, Sent::Failed(_)));
        if let Some(client) = failed {
            return vec![Act::Repeat(client, 0), Act::Repeat(client, 1)];
        }
        let (one, other) = (self.turn, 1 - self.turn);
        let mut acts = Vec::new();
        if let State::Busy(_, asked) = &self.processes[one].state {
            acts.push(Act::Ends(one, Fate::Well));
            if self.left > 0 {
                acts.push(Act::Ends(one, Fate::Refused));
                if asked.step == Step::Write {
                    acts.push(Act::Ends(one, Fate::Unacknowledged));
                    acts.extend(self.scope.forgets.then_some(Act::Ends(one, Fate::Forgotten)));
                }
                // Also before the first step of a batch, which is as good as before it was taken.
                acts.push(Act::Crash(one));
            }
        } else if self.has_work(one) {
            acts.push(Act::Begin(one));
        }
        if self.has_work(other) && (acts.is_empty() || self.left > 0) {
            acts.push(Act::Turn);
        }
        acts.extend((0..self.flying.len()).map(Act::Land));
        acts
    }

    fn has_work(&self, process: usize) -> bool {
        let waits = |client: &Client| matches!(client.sent, Sent::Waits(to) if to == process);
        matches!(self.processes[process].state, State::Busy(..)) || self.clients.iter().any(waits)
    }

    /// What all that can still happen turns on.
    pub(super) fn state(&self) -> u64 {
        let mut state = DefaultHasher::new();
        (self.stored.digest(), self.left, self.failed, self.turn).hash(&mut state);
        for process in &self.processes {
            process.told.hash(&mut state);
            std::mem::discriminant(&process.state).hash(&mut state);
        }
        for (_, told) in &self.flying {
            told.hash(&mut state);
        }
        for client in &self.clients {
            client.at.hash(&mut state);
            std::mem::discriminant(&client.sent).hash(&mut state);
            if let Sent::Waits(to) | Sent::Failed(to) | Sent::Taken(to, _) = client.sent {
                to.hash(&mut state);
            }
        }
        state.finish()
    }

    /// Takes a step, and says what must not be after it.
    pub(super) async fn take(&mut self, act: Act) -> Result<(), String> {
        let disturbs = match act {
            Act::Ends(_, fate) => fate != Fate::Well,
            Act::Crash(_) => true,
            Act::Turn => !matches!(self.possible()[0], Act::Turn),
            Act::Begin(_) | Act::Land(_) | Act::Repeat(..) => false,
        };
        let writes = self.writes(act);
        self.left -= usize::from(disturbs);
        self.failed |= disturbs && act != Act::Turn;
        match act {
            Act::Begin(process) => self.run(process).await,
            Act::Ends(process, fate) => self.goes_on(process, fate).await,
            Act::Crash(process) => {
                let process = &mut self.processes[process];
                if let State::Busy(_, asked) = std::mem::replace(&mut process.state, State::Down)
                    && asked.step == Step::Write
                {
                    self.flying.push((asked, process.told));
                }
                process.told = 0;
            }
            Act::Turn => self.turn = 1 - self.turn,
            Act::Land(number) => self.flying.remove(number).0.ends(Fate::Well).await,
            Act::Repeat(client, to) => self.clients[client].sent = Sent::Waits(to),
        }
        if writes {
            self.stored.grows(&self.database).await?;
        }
        self.hear()
    }

    fn writes(&self, act: Act) -> bool {
        match act {
            Act::Ends(process, _) => match &self.processes[process].state {
                State::Busy(_, asked) => asked.step == Step::Write,
                State::Down | State::Idle(_) => false,
            },
            Act::Land(_) => true,
            Act::Begin(_) | Act::Crash(_) | Act::Turn | Act::Repeat(..) => false,
        }
    }

    /// Starts a process, or gives it all that waits for it.
    async fn run(&mut self, number: usize) {
        let process = &mut self.processes[number];
        let running: Running = match std::mem::replace(&mut process.state, State::Down) {
            State::Down => {
                let (store, keys) = (process.store.clone(), Arc::clone(&self.keys));
                Box::pin(async move {
                    let log = Log::take(&store, &keys, TIME_MS).await.ok()?;
                    let (clock, halt) = (Clock::fixed(now()), Halt::default());
                    Some(Box::new(Work::new(store, keys, clock, log, halt)))
                })
            }
            State::Idle(mut work) => {
                let mut batch = Vec::new();
                for (of, client) in self.clients.iter_mut().enumerate() {
                    if matches!(client.sent, Sent::Waits(to) if to == number) {
                        let record = self.scope.clients[of].1[client.at];
                        let (waiter, answer) = Waiter::new(Arc::clone(&RECORDS[record]));
                        batch.push(waiter);
                        client.sent = Sent::Taken(number, answer);
                        process.told = told(process.told, &record);
                    }
                }
                Box::pin(async move {
                    work.flush(batch).await;
                    Some(work)
                })
            }
            State::Busy(..) => unreachable!("it has something to do"),
        };
        process.until_it_asks(running).await;
    }

    async fn goes_on(&mut self, number: usize, fate: Fate) {
        let process = &mut self.processes[number];
        let State::Busy(running, asked) = std::mem::replace(&mut process.state, State::Down) else {
            unreachable!("it waits for something")
        };
        process.told = told(process.told, &(fate, self.stored.digest()));
        // When it is over the process says by going on.
        drop(asked.ends(fate));
        process.until_it_asks(running).await;
    }

    /// What clients were told since.
    fn hear(&mut self) -> Result<(), String> {
        for (of, client) in self.clients.iter_mut().enumerate() {
            let Sent::Taken(by, answer) = &mut client.sent else { continue };
            let records = self.scope.clients[of].1;
            client.sent = match answer.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => continue,
                Ok(Ok(place)) => {
                    self.stored.holds(records[client.at], &place)?;
                    client.at += 1;
                    if client.at == records.len() { Sent::Done } else { Sent::Waits(*by) }
                }
                Ok(Err(Refused::Unavailable)) | Err(oneshot::error::TryRecvError::Closed) => {
                    if !self.failed {
                        return Err("refused although nothing failed".to_owned());
                    }
                    Sent::Failed(*by)
                }
                Ok(Err(refused)) => return Err(format!("{refused:?}")),
            };
        }
        Ok(())
    }
}

impl Process {
    /// Runs it until it is done, or waits for the database.
    async fn until_it_asks(&mut self, mut running: Running) {
        self.state = tokio::select! {
            biased;
            done = &mut running => done.map_or(State::Down, State::Idle),
            asked = self.asks.recv() => State::Busy(running, asked.unwrap()),
        };
        match &self.state {
            State::Down => self.told = 0,
            State::Idle(work) => self.told = told(0, &work.memory()),
            State::Busy(..) => {}
        }
    }
}

fn told(before: u64, more: &impl Hash) -> u64 {
    let mut told = DefaultHasher::new();
    (before, more).hash(&mut told);
    told.finish()
}
