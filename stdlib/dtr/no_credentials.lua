-- Why DTR's tool would be refused by UCP, in words that say what to do.

local words = {
  missing = "The site has no credentials of a UCP administrator (ucp.username, ucp.password), and DTR's tool asks for them.",
  refused = "UCP does not take the site's credentials (ucp.username, ucp.password). Give the right password of an administrator.",
  untrusted = "UCP's certificate is not one that the site vouches for (ucp.ca), so DTR's tool would not talk to it, and nobody should give it a password. Put UCP's CA into a file and name it: ucp: { ca: FILE } (curl -k https://UCP/ca shows it; compare it with one from a manager's volume ucp-client-root-ca).",
  unproved = "Whether UCP takes the site's credentials could not be proved: neither UCP nor a replica answered. DTR's tool goes through UCP, so bring that back first (ucp/restore-from-backup, ucp/recover-without-backup).",
}

return func {
  summary = "no_credentials(dtr) → one line on why the credentials are not proved, or \"\"",
  call = function(d) return words[d.credentials or "unproved"] or "" end,
}
