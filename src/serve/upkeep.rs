//! What every process that has tasks does for all of them: it says that it lives, it feeds the queue when it leads, and
//! then it does what one process must do.

use std::sync::Arc;
use std::time::Duration;

use core_api::{ApiState, Health};
use store::{ProcessBeat, Relay, RelayMetrics, RelaySettings, Store};
use task_queue::Queue;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use worker::Occupancy;

use super::api::default_team;
use super::site::Site;
use super::tasks::Tasks;
use crate::failure::Failure;
use crate::leader::intake::TakeIn;
use crate::leader::mirror::Mirror;
use crate::leader::prune::Prune;
use crate::leader::webhooks::Sender;
use crate::leader::{Duty, while_leading};
use crate::metrics::declared_twice;
use crate::service::Service;

/// Between two signs of life, and two looks at the queue.
const BEAT: Duration = Duration::from_secs(2);

/// Starts all of it. `occupancy` is that of the pool, where there is one.
pub(super) fn start(
    site: &Site,
    tasks: &mut Tasks,
    api: &ApiState,
    occupancy: Option<Arc<Occupancy>>,
) -> Result<Vec<Service>, Failure> {
    let registry = site.metrics.process();
    let settings = RelaySettings {
        lease_timeout: site.config.lease.timeout,
        metrics: Some(RelayMetrics::new(registry).map_err(declared_twice)?),
        ..RelaySettings::default()
    };
    let relay = Relay::new(tasks.store.clone(), tasks.queue.clone(), settings);
    let leading = relay.leading();
    // First, so that none of the others outlives who tells them that this process leads.
    let mut upkeep = vec![Service::start("relay", &site.alarm, |stop| relay.run(stop.cancelled_owned()))];
    upkeep.push(duty(site, Prune::new(tasks.store.clone(), &site.config.retention), &leading));
    let sender = Sender::new(tasks.store.clone(), &site.config.webhooks, registry)?;
    upkeep.push(duty(site, sender, &leading));
    if let Some((intake, letters)) = tasks.streams.take() {
        upkeep.push(duty(site, TakeIn::new(intake, api.clone(), default_team()?), &leading));
        upkeep.push(duty(site, Mirror::new(tasks.store.clone(), letters), &leading));
    }
    let beat = ProcessBeat { process: site.process.clone(), role: site.role, slots: 0, busy: 0 };
    let store = tasks.store.clone();
    upkeep.push(Service::start("beats", &site.alarm, |stop| beats(store, beat, occupancy, stop)));
    Ok(upkeep)
}

fn duty<D: Duty>(site: &Site, duty: D, leading: &watch::Receiver<bool>) -> Service {
    Service::start(D::NAME, &site.alarm, |stop| while_leading(duty, leading.clone(), stop))
}

/// Says again and again that the process lives, and how busy it is.
async fn beats(
    store: Arc<dyn Store>,
    mut beat: ProcessBeat,
    occupancy: Option<Arc<Occupancy>>,
    stop: CancellationToken,
) {
    let mut ticks = interval(BEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let beats = async {
        loop {
            ticks.tick().await;
            if let Some(occupancy) = &occupancy {
                (beat.slots, beat.busy) = (occupancy.slots(), occupancy.busy());
            }
            if let Err(error) = store.beat(&beat).await {
                debug!(%error, "the store did not hear that this process lives");
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = beats => {}
    }
}

/// Whether the queue can be reached, as of a moment ago.
pub(super) fn reach(site: &Site, queue: Arc<dyn Queue>) -> (Service, Health) {
    let (tell, told) = watch::channel(Ok(()));
    let service = Service::start("look at the queue", &site.alarm, |stop| async move {
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let found = match timeout(BEAT, queue.depth()).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the queue does not answer".to_owned()),
            };
            if let (Err(error), Ok(())) = (&found, &*tell.borrow()) {
                warn!(error, "tasks wait in the store until the queue can be reached");
            }
            let _ = tell.send_replace(found);
        }
    });
    (service, Arc::new(move || told.borrow().clone()))
}
