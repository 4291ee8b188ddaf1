//! Queues, limiters and caches: the laws that controllers rely on.
