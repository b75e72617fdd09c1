//! What threads share by: the real thing, or loom's models of it.

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::{Arc, atomic::AtomicU64};

    /// A pointer to an immutable value that is replaced as a whole.
    pub(crate) type Swap<T> = arc_swap::ArcSwap<T>;
}

#[cfg(loom)]
mod model {
    pub(crate) use loom::sync::{Arc, atomic::AtomicU64};

    /// Stands for `ArcSwap`, which loom does not know. Like it: a load sees one of the stored
    /// values, and all that happened before it was stored.
    pub(crate) struct Swap<T>(loom::sync::Mutex<std::sync::Arc<T>>);

    impl<T> Swap<T> {
        pub(crate) fn from_pointee(value: T) -> Self {
            Self(loom::sync::Mutex::new(std::sync::Arc::new(value)))
        }

        pub(crate) fn load(&self) -> std::sync::Arc<T> {
            self.0.lock().expect("no model panics with it").clone()
        }

        pub(crate) fn store(&self, value: std::sync::Arc<T>) {
            let old =
                std::mem::replace(&mut *self.0.lock().expect("no model panics with it"), value);
            drop(old);
        }
    }
}

#[cfg(loom)]
pub(crate) use model::{Arc, AtomicU64, Swap};
#[cfg(not(loom))]
pub(crate) use real::{Arc, AtomicU64, Swap};
