//! Ids of tool calls. Mistral's format wants nine letters and digits; clients bring what other servers gave them.

const LEN: usize = 9;
const SIGNS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The id as the model sees it: itself where it has the form, and otherwise always the same one of that form.
pub(super) fn for_model(id: &str) -> String {
    if id.len() == LEN && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    // FNV-1a: the same in every build, so that prompts keep their computed beginnings.
    let mut hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut sign = || {
        let sign = SIGNS[(hash % 62) as usize];
        hash /= 62;
        sign as char
    };
    (0..LEN).map(|_| sign()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_the_form_stays_and_others_get_one_of_their_own() {
        assert_eq!(for_model("a1B2c3D4e"), "a1B2c3D4e");
        let (first, second) = (for_model("call_abc"), for_model("call_xyz"));
        assert_ne!(first, second);
        assert_eq!(first, for_model("call_abc"));
        assert_eq!(for_model(&first), first);
    }
}
