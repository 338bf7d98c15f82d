//! Block height from bitcoind, esplora, electrum or a regtest clock.
