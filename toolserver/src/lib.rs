//! toolserver
