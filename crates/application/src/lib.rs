//! The use cases of Wallex and the command lane that commits them in groups
