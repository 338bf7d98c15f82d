//! The runtime: tasks, timers and the commit pipeline around the engine.
