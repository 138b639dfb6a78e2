//! The workers of this process that wait for an id.

use std::collections::VecDeque;

use tokio::sync::{mpsc, oneshot};
use types::TaskClass;

use super::courier::Event;
use crate::queue::{Classes, Delivery};

/// Who waits, the longest first.
#[derive(Default)]
pub(crate) struct Takers {
    all: VecDeque<Hand>,
    interactive: VecDeque<Hand>,
}

type Hand = oneshot::Sender<Handed>;

/// How many ids are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// By those who take any class.
    pub(crate) all: usize,
    /// By those who take interactive ids alone.
    pub(crate) interactive: usize,
}

impl Takers {
    pub(crate) fn join(&mut self, classes: Classes, hand: Hand) {
        match classes {
            Classes::All => self.all.push_back(hand),
            Classes::Interactive => self.interactive.push_back(hand),
        }
    }

    /// What is wanted now; who gave up is forgotten.
    pub(crate) fn demand(&mut self) -> Demand {
        self.all.retain(|hand| !hand.is_closed());
        self.interactive.retain(|hand| !hand.is_closed());
        Demand { all: self.all.len(), interactive: self.interactive.len() }
    }

    /// Gives an id to who may take it and waits longest, first of those who can take nothing else; gives it back when
    /// there is nobody.
    pub(crate) fn hand(&mut self, delivery: Delivery, back: &mpsc::UnboundedSender<Event>) -> Option<Delivery> {
        let mut handed = Handed { delivery: Some(delivery), back: back.clone() };
        loop {
            let Some(hand) = self.next(handed.class()) else { return handed.delivery.take() };
            match hand.send(handed) {
                Ok(()) => return None,
                Err(returned) => handed = returned,
            }
        }
    }

    /// Tells all who wait that nothing will come.
    pub(crate) fn dismiss(&mut self) {
        *self = Takers::default();
    }

    fn next(&mut self, class: Option<TaskClass>) -> Option<Hand> {
        let reserved = if class == Some(TaskClass::Interactive) { self.interactive.pop_front() } else { None };
        reserved.or_else(|| self.all.pop_front())
    }
}

/// A delivery on its way to a worker; it goes back to the queue when the worker no longer waits for it.
pub(crate) struct Handed {
    delivery: Option<Delivery>,
    back: mpsc::UnboundedSender<Event>,
}

impl Handed {
    /// The worker has it. `None` never comes: it is taken once.
    pub(crate) fn keep(mut self) -> Option<Delivery> {
        self.delivery.take()
    }

    fn class(&self) -> Option<TaskClass> {
        self.delivery.as_ref().map(Delivery::class)
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            // A closed queue has no line to put it into; it comes back after the visibility timeout.
            let _ = self.back.send(Event::PutBack(delivery));
        }
    }
}

#[cfg(test)]
mod tests {
    use types::TaskId;

    use super::*;

    fn delivery(class: TaskClass) -> Delivery {
        Delivery::new(TaskId::new(), class, 1)
    }

    #[test]
    fn interactive_ids_go_first_to_who_takes_nothing_else() {
        let (back, _returned) = mpsc::unbounded_channel();
        let mut takers = Takers::default();
        let (any, mut gets_any) = oneshot::channel();
        let (reserved, mut gets_interactive) = oneshot::channel();
        takers.join(Classes::All, any);
        takers.join(Classes::Interactive, reserved);
        assert_eq!(takers.demand(), Demand { all: 1, interactive: 1 });
        assert!(takers.hand(delivery(TaskClass::Interactive), &back).is_none());
        assert!(gets_interactive.try_recv().is_ok());
        assert!(takers.hand(delivery(TaskClass::Batch), &back).is_none());
        assert!(gets_any.try_recv().is_ok());
        assert!(takers.hand(delivery(TaskClass::Batch), &back).is_some());
    }

    #[test]
    fn what_a_worker_does_not_receive_goes_back() {
        let (back, mut returned) = mpsc::unbounded_channel();
        let mut takers = Takers::default();
        let (hand, gets) = oneshot::channel();
        takers.join(Classes::All, hand);
        assert!(takers.hand(delivery(TaskClass::Batch), &back).is_none());
        drop(gets);
        assert!(matches!(returned.try_recv(), Ok(Event::PutBack(_))));
    }
}
