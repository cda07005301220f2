//! A process that a test can kill.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use logto_client::runtime::Runtime;
use tokio::task::AbortHandle;

/// A runtime whose tasks end when it is killed, wherever they are: what they hold is not given back, and what
/// they receive is not kept. Clones are the same process.
#[derive(Clone, Debug, Default)]
pub struct MortalProcess(Arc<Mutex<Vec<AbortHandle>>>);

impl MortalProcess {
    /// Ends every task that was spawned so far.
    pub fn kill(&self) {
        for task in self.tasks().drain(..) {
            task.abort();
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.0.lock().expect("no test panics while it holds this")
    }
}

impl Runtime for MortalProcess {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.tasks().push(tokio::spawn(task).abort_handle());
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
