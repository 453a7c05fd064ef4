//! A bounded budget of bytes: whoever holds memory holds a permit for it.

use std::cell::Cell;
use std::rc::Rc;

/// A core's budget for one purpose. Clones share it.
#[derive(Clone, Debug)]
pub struct Permits {
    budget: Rc<Budget>,
}

#[derive(Debug)]
struct Budget {
    total: usize,
    held: Cell<usize>,
}

/// Bytes that are held; dropping it gives them back.
#[must_use = "a permit that is dropped at once bounds nothing"]
#[derive(Debug)]
pub struct Permit {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Permits {
    /// A budget of `total` bytes.
    #[must_use]
    pub fn new(total: usize) -> Permits {
        Permits { budget: Rc::new(Budget { total, held: Cell::new(0) }) }
    }

    /// A permit for `bytes`, or nothing while others hold too much. More than the whole budget is
    /// never granted: check [`Permits::total`] before waiting.
    #[must_use]
    pub fn try_take(&self, bytes: usize) -> Option<Permit> {
        if bytes > self.available() {
            return None;
        }
        self.budget.held.set(self.budget.held.get() + bytes);
        Some(Permit { budget: Rc::clone(&self.budget), bytes })
    }

    /// Bytes that can be taken now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.budget.total - self.budget.held.get()
    }

    /// Bytes that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.budget.held.get()
    }

    /// The whole budget.
    #[must_use]
    pub fn total(&self) -> usize {
        self.budget.total
    }
}

impl Permit {
    /// Bytes it is for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        assert!(bytes <= self.bytes, "a permit only shrinks");
        self.budget.give(self.bytes - bytes);
        self.bytes = bytes;
    }

    /// Cuts off a permit for `bytes`.
    pub fn split(&mut self, bytes: usize) -> Permit {
        assert!(bytes <= self.bytes, "a part is no larger than the whole");
        self.bytes -= bytes;
        Permit { budget: Rc::clone(&self.budget), bytes }
    }
}

impl Budget {
    fn give(&self, bytes: usize) {
        let left = self.held.get().checked_sub(bytes);
        self.held.set(left.expect("no more is given back than was taken"));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}
