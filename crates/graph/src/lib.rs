//! The public graph and path-finding, by LDK, with hosted first hops.
