//! BOLT8 connections over TCP, one LDK wire stack per connection.
