//! Work that is shared out among the cores.

/// Runs `work` in as many threads as there are cores, but no more than `most`: it takes from a common store until that
/// is empty. Where no more threads can be started, those that are there do it all.
pub(crate) fn on_every_core(most: usize, work: impl Fn() + Sync) {
    on_threads(std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(most), work);
}

/// As [`on_every_core`], in so many threads: for work that waits more than it computes.
pub(crate) fn on_threads(threads: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 1..threads {
            if std::thread::Builder::new().spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
}
