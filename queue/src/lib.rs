//! task-queue
