//! Breadth first, so that the first trace to a state is a shortest one.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
};

/// Something that can be explored.
pub(crate) trait Model: Clone {
    type Label: ToString;

    fn fingerprint(&mut self) -> u64;
    /// Calls `visit` with everything that can happen next.
    fn steps(&self, visit: impl FnMut(Self::Label, Self));
}

/// Every state that was seen, and from where it was reached first.
#[derive(Debug)]
pub(crate) struct Explored {
    /// From the fingerprint of a state to that of the state from which it was reached first.
    parents: HashMap<u64, u64, BuildHasherDefault<Itself>>,
    /// How many steps the longest of all shortest traces has.
    pub(crate) depth: usize,
}

impl Explored {
    pub(crate) fn states(&self) -> usize {
        self.parents.len()
    }

    /// The steps from `initial` to the state with this fingerprint, in words.
    pub(crate) fn trace<M: Model>(&self, initial: &M, end: u64) -> Vec<String> {
        let mut path = vec![end];
        let mut at = end;
        while let Some(&parent) = self.parents.get(&at).filter(|&&parent| parent != at) {
            path.push(parent);
            at = parent;
        }
        let mut trace = Vec::new();
        let mut state = initial.clone();
        for next in path.into_iter().rev().skip(1) {
            let mut found = None;
            state.steps(|label, mut reached| {
                if found.is_none() && reached.fingerprint() == next {
                    trace.push(label.to_string());
                    found = Some(reached);
                }
            });
            state = found.unwrap_or(state);
        }
        trace
    }
}

/// Visits every state that can be reached from `initial`. `visit` says whether to go on from there.
pub(crate) fn explore<M: Model>(initial: &M, mut visit: impl FnMut(&M, u64) -> bool) -> Explored {
    let mut initial = initial.clone();
    let first = initial.fingerprint();
    let mut explored = Explored {
        parents: HashMap::default(),
        depth: 0,
    };
    explored.parents.insert(first, first);
    let mut level = Vec::new();
    if visit(&initial, first) {
        level.push((first, initial));
    }
    while !level.is_empty() {
        let mut next = Vec::new();
        for (from, state) in level {
            state.steps(|_, mut reached| {
                let fingerprint = reached.fingerprint();
                if let Entry::Vacant(unseen) = explored.parents.entry(fingerprint) {
                    unseen.insert(from);
                    if visit(&reached, fingerprint) {
                        next.push((fingerprint, reached));
                    }
                }
            });
        }
        explored.depth += 1;
        level = next;
    }
    explored
}

/// A fingerprint is a hash already.
#[derive(Debug, Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only for completeness: keys are `u64`.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}
