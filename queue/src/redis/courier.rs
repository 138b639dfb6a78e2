//! Carries between the workers of this process and the server: one task that owns the connection.
//!
//! What arrives while a call is under way goes with the next, so that many workers cost few calls: one look for as many
//! ids as are wanted, one acknowledgement for all that is done. Calls of one kind follow each other, calls of different
//! kinds do not wait for one another, and a connection carries them in the order in which they were asked for.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use redis::{RedisError, RedisResult};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};
use types::{ProcessId, TaskClass, TaskId};

use super::bell::Bell;
use super::calls::{self, Claimed, Delivered, Fetched};
use super::connection::Connection;
use super::entry::Ended;
use super::fault::Fault;
use super::keys::{INTERACTIVE_BELL, OTHER_BELL};
use super::metrics::Tally;
use super::outstanding::Outstanding;
use super::server::{Link, Server};
use super::takers::{Demand, Handed, Takers};
use super::unavailable;
use crate::order::ClassOrder;
use crate::queue::{Classes, Delivery, Depth, QueueError};

/// All that can be asked of the courier.
pub(crate) enum Event {
    Take(Classes, oneshot::Sender<Handed>),
    Acknowledge(Delivery),
    /// A worker left before it had its id.
    PutBack(Delivery),
    Push(Vec<(TaskId, TaskClass)>, Answer<()>),
    Holds(Vec<TaskId>, Answer<Vec<bool>>),
    Depth(Answer<Depth>),
    InteractiveBell,
    OtherBell,
    Close(oneshot::Sender<()>),
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, QueueError>>;

/// What a call came to.
enum Done {
    Opened(RedisResult<Link>),
    Fetched(RedisResult<Fetched>),
    Acknowledged(RedisResult<()>, Vec<Ended>),
    Claimed(RedisResult<Claimed>),
    Recovered(RedisResult<Delivered>),
    /// Who asked has been answered.
    Answered(RedisResult<()>),
}

pub(crate) struct Courier {
    server: Arc<Server>,
    tally: Tally,
    process: ProcessId,
    visibility_timeout: Duration,
    events: mpsc::UnboundedReceiver<Event>,
    back: mpsc::WeakUnboundedSender<Event>,
    connection: Connection,
    /// Under way, each with how often the connection had been lost before.
    calls: FuturesUnordered<BoxFuture<'static, (u64, Done)>>,
    takers: Takers,
    outstanding: Outstanding,
    order: ClassOrder,
    /// What waited when the lines were last seen.
    waiting: [usize; 3],
    /// Whether ids may wait for the takers there are.
    look: bool,
    /// Whether a bell rang that others may have to hear.
    pass_on: bool,
    is_fetching: bool,
    interactive_bell: Bell,
    other_bell: Bell,
    ended: Vec<Ended>,
    is_acknowledging: bool,
    /// The server's incarnation, once it is known, and since when.
    run: String,
    run_since: Instant,
    is_claiming: bool,
    closing: Option<oneshot::Sender<()>>,
}

impl Courier {
    pub(crate) fn new(
        server: Arc<Server>,
        tally: Tally,
        process: ProcessId,
        visibility_timeout: Duration,
        events: (mpsc::WeakUnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
        link: Link,
    ) -> Self {
        let (back, events) = events;
        let connection = Connection::new(Arc::clone(&server), tally.clone(), link);
        let hang =
            |key, event| Bell::hang(Arc::clone(&server), tally.clone(), key, back.clone(), event, connection.watch());
        Courier {
            interactive_bell: hang(INTERACTIVE_BELL, || Event::InteractiveBell),
            other_bell: hang(OTHER_BELL, || Event::OtherBell),
            server,
            tally,
            process,
            visibility_timeout,
            events,
            back,
            connection,
            calls: FuturesUnordered::new(),
            takers: Takers::default(),
            outstanding: Outstanding::default(),
            order: ClassOrder::default(),
            waiting: [0; 3],
            look: false,
            pass_on: false,
            is_fetching: false,
            ended: Vec::new(),
            is_acknowledging: false,
            run: String::new(),
            run_since: Instant::now(),
            is_claiming: false,
            closing: None,
        }
    }

    /// Serves until the queue is closed or dropped.
    pub(crate) async fn run(mut self) {
        let mut ticks = interval(self.visibility_timeout / 4);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.hear(event),
                    None => return self.finish().await,
                },
                Some((losses, done)) = self.calls.next() => self.settle(losses, done),
                _ = ticks.tick() => self.claim(),
            }
            while let Ok(event) = self.events.try_recv() {
                self.hear(event);
            }
            if let Some(closed) = self.closing.take() {
                self.finish().await;
                // Nobody waits for it any more when this fails.
                let _ = closed.send(());
                return;
            }
            self.acknowledge();
            self.fetch();
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Take(classes, hand) => {
                self.takers.join(classes, hand);
                self.look = true;
            }
            Event::Acknowledge(delivery) => {
                self.outstanding.remove(&delivery);
                self.ended.push(delivery.into());
            }
            Event::PutBack(delivery) => {
                self.outstanding.remove(&delivery);
                self.hand_out(vec![delivery]);
            }
            Event::Push(ids, answer) => self.answer(answer, |link, tally| calls::push(link, tally, ids)),
            Event::Holds(ids, answer) => self.answer(answer, |link, tally| calls::holds(link, tally, ids)),
            Event::Depth(answer) => self.answer(answer, calls::depth),
            Event::InteractiveBell => {
                self.interactive_bell.rang();
                (self.look, self.pass_on) = (true, true);
            }
            Event::OtherBell => {
                self.other_bell.rang();
                (self.look, self.pass_on) = (true, true);
            }
            Event::Close(closed) => self.closing = Some(closed),
        }
    }

    /// Sends an enquiry behind what it may depend on: what this process has acknowledged.
    fn answer<T: Send + 'static, F>(&mut self, answer: Answer<T>, ask: impl FnOnce(Link, Tally) -> F)
    where
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        self.send_acknowledgements();
        let link = match self.connection.link() {
            Ok(link) => link,
            Err(error) => {
                let _ = answer.send(Err(unavailable(&self.server, error)));
                return;
            }
        };
        let (asking, server) = (ask(link, self.tally.clone()), Arc::clone(&self.server));
        self.call(async move {
            let (said, done) = match asking.await {
                Ok(said) => (Ok(said), Ok(())),
                Err(error) => (Err(unavailable(&server, error.clone())), Err(error)),
            };
            // Who no longer waits for it does not need it.
            let _ = answer.send(said);
            Done::Answered(done)
        });
    }

    /// Sends what has been acknowledged, when the last such call is back.
    fn acknowledge(&mut self) {
        if !self.is_acknowledging {
            self.send_acknowledgements();
        }
    }

    fn send_acknowledgements(&mut self) {
        let Ok(link) = self.connection.link() else { return };
        if self.ended.is_empty() {
            return;
        }
        let (ended, tally) = (std::mem::take(&mut self.ended), self.tally.clone());
        self.is_acknowledging = true;
        self.call(async move {
            let result = calls::acknowledge(link, tally, &ended).await;
            Done::Acknowledged(result, ended)
        });
    }

    /// Looks for ids if some are wanted and may be there; listens for them if they are wanted and not there.
    fn fetch(&mut self) {
        let demand = self.takers.demand();
        let Ok(link) = self.connection.link() else { return };
        if self.is_fetching || (demand == Demand::default() && !self.pass_on) {
            return;
        }
        if !self.look {
            self.interactive_bell.listen();
            if 0 < demand.all {
                self.other_bell.listen();
            }
            return;
        }
        (self.look, self.pass_on, self.is_fetching) = (false, false, true);
        let plan = self.order.plan(self.waiting, demand.all);
        let (tally, process) = (self.tally.clone(), self.process.clone());
        self.call(async move { Done::Fetched(calls::fetch(link, tally, process, demand, plan).await) });
    }

    /// Brings back what was delivered and never opened; not before a whole timeout has passed since this process came
    /// to the server, and the server to its present life: until then others may have had no chance to acknowledge.
    fn claim(&mut self) {
        self.outstanding.forget_older_than(self.visibility_timeout);
        let Ok(link) = self.connection.link() else { return };
        let in_grace = !self.run.is_empty() && self.run_since.elapsed() < self.visibility_timeout;
        if self.is_claiming || in_grace {
            return;
        }
        self.is_claiming = true;
        let (tally, process, run) = (self.tally.clone(), self.process.clone(), self.run.clone());
        let idle = self.visibility_timeout;
        self.call(async move { Done::Claimed(calls::claim(link, tally, process, idle, run).await) });
    }

    fn call(&mut self, call: impl Future<Output = Done> + Send + 'static) {
        let losses = self.connection.losses();
        self.calls.push(Box::pin(async move { (losses, call.await) }));
    }

    fn settle(&mut self, losses: u64, done: Done) {
        let failed = match done {
            Done::Opened(Ok(link)) => return self.found(link),
            Done::Opened(Err(error)) => Some(error),
            Done::Fetched(result) => {
                self.is_fetching = false;
                result.map(|fetched| self.fetched(fetched)).err()
            }
            Done::Acknowledged(result, ended) => {
                self.is_acknowledging = false;
                if result.is_err() {
                    // The server may have done it; once more does no harm.
                    self.ended.extend(ended);
                }
                result.err()
            }
            Done::Claimed(result) => {
                self.is_claiming = false;
                result.map(|claimed| self.claimed(claimed)).err()
            }
            Done::Recovered(result) => result.map(|delivered| self.recovered(delivered)).err(),
            Done::Answered(result) => result.err(),
        };
        match failed {
            Some(error) => self.failed(losses, error),
            None => self.connection.worked(),
        }
    }

    fn fetched(&mut self, fetched: Fetched) {
        if fetched.was_wiped {
            self.tally.met(Fault::NoGroup);
            warn!(at = %self.server.address, "Redis was wiped; what waits comes again from the store");
        }
        let before = std::array::from_fn(|class| fetched.served[class] + fetched.waiting[class]);
        self.order.served(before, fetched.served);
        self.waiting = fetched.waiting;
        self.hand_out(fetched.delivered.deliveries);
        self.remove(fetched.delivered.malformed);
        let demand = self.takers.demand();
        let waits = self.waiting.iter().any(|&waiting| 0 < waiting);
        self.look |= (0 < demand.all && waits) || (0 < demand.interactive && 0 < self.waiting[0]);
    }

    fn claimed(&mut self, claimed: Claimed) {
        if self.run != claimed.run {
            (self.run, self.run_since) = (claimed.run, Instant::now());
        }
        let Delivered { deliveries, malformed } = claimed.delivered;
        self.remove(malformed);
        if !deliveries.is_empty() {
            info!(ids = deliveries.len(), "ids that were delivered and never opened wait again");
            self.tally.claimed(deliveries.len());
            self.put_back(deliveries);
        }
    }

    /// Puts back what the server gave to this process and no worker has: the answer was lost with the connection.
    fn recovered(&mut self, delivered: Delivered) {
        self.remove(delivered.malformed);
        let lost = delivered.deliveries.into_iter().filter(|delivery| !self.outstanding.has(delivery)).collect();
        self.put_back(lost);
    }

    fn hand_out(&mut self, deliveries: Vec<Delivery>) {
        // The queue is being dropped: what is delivered comes back after the visibility timeout.
        let Some(back) = self.back.upgrade() else { return };
        let mut unwanted = Vec::new();
        for delivery in deliveries {
            self.outstanding.add(&delivery);
            if let Some(delivery) = self.takers.hand(delivery, &back) {
                self.outstanding.remove(&delivery);
                unwanted.push(delivery);
            }
        }
        self.put_back(unwanted);
    }

    fn put_back(&mut self, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let Ok(link) = self.connection.link() else { return };
        let tally = self.tally.clone();
        self.call(async move { Done::Answered(calls::put_back(link, tally, deliveries).await) });
    }

    fn remove(&mut self, malformed: Vec<Ended>) {
        for entry in malformed {
            warn!(class = %entry.class, entry = %entry.entry, "an entry without a task's id is removed from its line");
            self.ended.push(entry);
        }
    }

    fn failed(&mut self, losses: u64, error: RedisError) {
        let Some(finding) = self.connection.failed(losses, error) else { return };
        // What is under way on the lost connection comes to nothing.
        (self.is_fetching, self.is_acknowledging, self.is_claiming) = (false, false, false);
        self.call(async move { Done::Opened(finding.await) });
    }

    fn found(&mut self, link: Link) {
        let (recovering, process, tally) = (link.clone(), self.process.clone(), self.tally.clone());
        self.connection.found(link);
        self.look = true;
        self.run.clear();
        self.call(async move { Done::Recovered(calls::recover(recovering, tally, process).await) });
    }

    /// Sends the last acknowledgements; the others in the process have their answer already.
    async fn finish(mut self) {
        self.takers.dismiss();
        self.send_acknowledgements();
        while self.is_acknowledging
            && let Some((losses, done)) = self.calls.next().await
        {
            self.settle(losses, done);
        }
    }
}
