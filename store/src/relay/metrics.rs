//! What operators see of the relay. Declared once, here.

use std::collections::HashSet;

use prometheus::{IntCounter, IntGauge, IntGaugeVec, Opts, Registry};
use types::TaskClass;

use crate::controls::Scope;
use crate::figures::Conservation;

/// The relay's metrics; clones share them.
#[derive(Clone, Debug)]
pub struct RelayMetrics {
    leader: IntGauge,
    backlog: IntGaugeVec,
    fed: IntGaugeVec,
    refilled: IntCounter,
    takeovers: IntCounter,
    expired: IntCounter,
    paused: IntGaugeVec,
    conservation: IntGaugeVec,
}

impl RelayMetrics {
    /// Registers them. Fails when the registry has them already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let by = |name, help, label| {
            let metric = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let counter = |name, help| {
            let metric = IntCounter::new(name, help)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let leader = IntGauge::new("openclaw_relay_leader", "Whether this process feeds the queue: 1 in one of them")?;
        registry.register(Box::new(leader.clone()))?;
        let metrics = RelayMetrics {
            leader,
            backlog: by("openclaw_relay_backlog", "Queued tasks that the queue does not hold yet", "class")?,
            fed: by("openclaw_relay_fed", "Ids that the queue holds, as far as the leader knows", "class")?,
            refilled: counter("openclaw_relay_refilled_total", "Ids that the queue had lost and was given again")?,
            takeovers: counter("openclaw_relay_takeovers_total", "Times that this process became leader")?,
            expired: counter("openclaw_leases_expired_total", "Leases that expired: their workers were lost")?,
            paused: by("openclaw_queue_paused", "Pauses in force, by what they cover", "scope")?,
            conservation: by(
                "openclaw_conservation_tasks",
                "Every row counted, by the leader, once a minute: accepted is terminal + held + pruned",
                "part",
            )?,
        };
        metrics.follows();
        Ok(metrics)
    }

    pub(crate) fn leads(&self) {
        self.leader.set(1);
        self.takeovers.inc();
    }

    /// A follower knows nothing of lines and rows.
    pub(crate) fn follows(&self) {
        self.leader.set(0);
        for class in TaskClass::ALL {
            self.holds(class, 0, 0);
        }
        self.pauses(&HashSet::new());
        self.conservation.reset();
    }

    pub(crate) fn holds(&self, class: TaskClass, backlog: usize, fed: usize) {
        self.backlog.with_label_values(&[class.as_str()]).set(signed(backlog as u64));
        self.fed.with_label_values(&[class.as_str()]).set(signed(fed as u64));
    }

    pub(crate) fn refilled(&self, count: u64) {
        self.refilled.inc_by(count);
    }

    pub(crate) fn expired(&self, count: u32) {
        self.expired.inc_by(u64::from(count));
    }

    pub(crate) fn pauses(&self, scopes: &HashSet<Scope>) {
        for kind in Scope::KINDS {
            let count = scopes.iter().filter(|scope| scope.kind() == kind).count();
            self.paused.with_label_values(&[kind]).set(signed(count as u64));
        }
    }

    pub(crate) fn conserves(&self, law: &Conservation) {
        let parts =
            [("accepted", law.accepted), ("terminal", law.terminal), ("held", law.held), ("pruned", law.pruned)];
        for (part, count) in parts {
            self.conservation.with_label_values(&[part]).set(signed(count));
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
