//! A private pool of threads that share one piece of work at a time, made for hundreds of short pieces per step.
//!
//! The caller works, too, and waits only for threads that have begun: one that the system does not let run delays
//! nobody. Threads spin for a moment between pieces of work, then sleep, so an idle engine costs nothing.

#![allow(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread looks out for more work before it sleeps: longer than what lies between two pieces in a step.
const SPIN: Duration = Duration::from_micros(100);
/// Looks between two looks at the clock.
const LOOKS: usize = 64;

/// Work is there to be joined.
const OPEN: u64 = 1 << 31;
/// Threads that have joined.
const ACTIVE: u64 = OPEN - 1;
/// One piece of work further.
const EPOCH: u64 = 1 << 32;

/// The threads; they end with it.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// One caller at a time: not `Sync`.
    _one_caller: PhantomData<Cell<()>>,
}

struct Shared {
    /// Number of the work, whether it is open, and how many have joined it.
    state: AtomicU64,
    job: UnsafeCell<Option<Job>>,
    /// The first item that nobody has taken.
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    stopping: AtomicBool,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
}

/// What there is to do; the pointer is good as long as the work is open or somebody is active in it.
#[derive(Clone, Copy)]
struct Job {
    work: *const (dyn Fn(Range<usize>) + Sync),
    count: usize,
    chunk: usize,
}

// SAFETY: `job` is written only while nobody is active and the work is closed, and read only by those who are active;
// what it points to is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer in it never outlives `Pool::run`.
unsafe impl Send for Shared {}

impl Pool {
    /// A pool of `threads`, the caller's among them.
    pub fn new(threads: NonZeroUsize) -> std::io::Result<Pool> {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            panic: Mutex::new(None),
            stopping: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            alarm: Condvar::new(),
        });
        let mut pool = Pool { shared, threads: Vec::new(), _one_caller: PhantomData };
        for index in 1..threads.get() {
            let shared = pool.shared.clone();
            let builder = std::thread::Builder::new().name(format!("kernels-{index}"));
            pool.threads.push(builder.spawn(move || shared.serve())?);
        }
        Ok(pool)
    }

    /// How many work, the caller included.
    pub fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Calls `work` with ranges of at most `chunk` that together are `0..count`, each item once, on all threads; returns
    /// when all is done. A panic in `work` goes on in the caller.
    pub fn run(&self, count: usize, chunk: usize, work: &(dyn Fn(Range<usize>) + Sync)) {
        let chunk = chunk.max(1);
        if self.threads.is_empty() || count <= chunk {
            if count > 0 {
                work(0..count);
            }
            return;
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes; `close` below waits for all who use it.
        let work: *const (dyn Fn(Range<usize>) + Sync + 'static) = unsafe { std::mem::transmute(work) };
        let job = Job { work, count, chunk };
        // SAFETY: the last work is closed and nobody is active in it, and there is no other caller.
        unsafe { *shared.job.get() = Some(job) };
        shared.next.store(0, Ordering::Relaxed);
        shared.open();
        shared.work(job);
        shared.close();
        let panic = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.wake();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn open(&self) {
        let epoch = self.state.load(Ordering::Relaxed) & !(EPOCH - 1);
        self.state.store(epoch.wrapping_add(EPOCH) | OPEN, Ordering::SeqCst);
        self.wake();
    }

    /// Lets nobody join any more and waits for those who have.
    fn close(&self) {
        self.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut looks = 0_usize;
        while self.state.load(Ordering::Acquire) & ACTIVE != 0 {
            looks += 1;
            if looks.is_multiple_of(LOOKS) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }

    fn wake(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            let _bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
            self.alarm.notify_all();
        }
    }

    /// Takes items until there are none.
    fn work(&self, job: Job) {
        let run = || loop {
            let first = self.next.fetch_add(job.chunk, Ordering::Relaxed);
            if first >= job.count {
                break;
            }
            // SAFETY: whoever is here is the caller or is active, so `run` has not returned.
            unsafe { (*job.work)(first..job.count.min(first + job.chunk)) };
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            // The others find nothing more to take.
            self.next.store(job.count, Ordering::Relaxed);
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
    }

    /// A thread's life.
    fn serve(&self) {
        let mut last = 0;
        while let Some(state) = self.wait_for_work(last) {
            if self.state.compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                continue;
            }
            last = state & !(EPOCH - 1);
            // SAFETY: this thread is active, so nobody writes the job.
            if let Some(job) = unsafe { *self.job.get() } {
                self.work(job);
            }
            self.state.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The state of open work other than `last`; none when the pool ends.
    fn wait_for_work(&self, last: u64) -> Option<u64> {
        let is_new = |state: u64| state & OPEN != 0 && state & !(EPOCH - 1) != last;
        loop {
            let since = Instant::now();
            while since.elapsed() < SPIN {
                for _ in 0..LOOKS {
                    let state = self.state.load(Ordering::Acquire);
                    if is_new(state) {
                        return Some(state);
                    }
                    std::hint::spin_loop();
                }
            }
            let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            while !is_new(self.state.load(Ordering::SeqCst)) && !self.stopping.load(Ordering::SeqCst) {
                bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
            }
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
            if self.stopping.load(Ordering::SeqCst) {
                return None;
            }
        }
    }
}

/// A slice whose parts are written by several threads at once.
pub struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    _slice: PhantomData<&'a mut [T]>,
}

// SAFETY: `slice` gives out parts under its caller's promise that no two overlap.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}
// SAFETY: it is a mutable borrow.
unsafe impl<T: Send> Send for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    /// Borrows the whole slice for as long as parts of it are written.
    pub fn new(slice: &'a mut [T]) -> Self {
        Disjoint { start: slice.as_mut_ptr(), len: slice.len(), _slice: PhantomData }
    }

    /// The part `range`.
    ///
    /// # Safety
    /// Of the parts that are alive at the same time, no two overlap.
    ///
    /// # Panics
    /// When the range leaves the slice.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        // SAFETY: inside the slice, by the assertion; alone there, by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::AtomicU8;

    use super::*;

    fn pool(threads: usize) -> Pool {
        Pool::new(NonZeroUsize::new(threads).unwrap()).unwrap()
    }

    #[test]
    fn every_item_is_worked_on_once_however_many_work() {
        for threads in [1, 2, 5] {
            let pool = pool(threads);
            for round in 0..2000_usize {
                let (count, chunk) = (round % 37, 1 + round % 5);
                let done: Vec<AtomicU8> = (0..count).map(|_| AtomicU8::new(0)).collect();
                pool.run(count, chunk, &|range| {
                    assert!(range.len() <= chunk || threads == 1);
                    range.for_each(|item| {
                        done[item].fetch_add(1, Ordering::Relaxed);
                    });
                });
                assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn sleeping_threads_are_woken() {
        let pool = pool(2);
        while pool.shared.sleepers.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let both = std::sync::Barrier::new(2);
        pool.run(2, 1, &|_| {
            both.wait();
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = pool(3);
        let all = AssertUnwindSafe(|| pool.run(100, 1, &|range| assert!(range.start != 50, "fifty")));
        let panic = catch_unwind(all).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"fifty"));
        let done = AtomicUsize::new(0);
        pool.run(100, 7, &|range| {
            done.fetch_add(range.len(), Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 100);
    }
}
