//! What every SQL adapter of Wallex shares: connecting, bulk statements, error classes
