//! BOLT4 onions: peel, forward, blinded hops, failures with attribution.
