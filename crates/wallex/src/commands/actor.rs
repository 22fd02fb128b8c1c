//! Who sits at the command line.

use wallex_ports::Actor;

/// Where the system names its users.
const USERS: &str = "/etc/passwd";

/// The user of the machine who runs this process, by the kernel's word: the environment could say
/// anything.
pub(super) fn actor() -> Actor {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    let name = name_of(&users, uid).map_or_else(|| format!("uid-{uid}"), ToOwned::to_owned);
    Actor { id: format!("cli:{name}"), correlation_id: None }
}

fn name_of(users: &str, uid: u32) -> Option<&str> {
    let uid = uid.to_string();
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == uid && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_by_their_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nodd\nzoe:x:1000:1000::/home/zoe:/bin/sh\n";
        assert_eq!(name_of(users, 0), Some("root"));
        assert_eq!(name_of(users, 1000), Some("zoe"));
        assert_eq!(name_of(users, 100), None);
        assert!(actor().id.starts_with("cli:"));
    }
}
