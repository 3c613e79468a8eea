package dtr

import (
	"fmt"
	"sort"
	"strings"
)

// An option as the reference gives it: a value comes by flag or by its environment twin, and the flag wins.
type option struct {
	name, env string
	yes       bool   // takes no value
	about     string // the words of the prompt
}

var common = []option{
	{name: "debug", env: "DEBUG", yes: true},
	{name: "help-extended", env: "DTR_EXTENDED_HELP", yes: true},
	{name: "ucp-url", env: "UCP_URL", about: "The UCP URL including domain and port"},
	{name: "ucp-username", env: "UCP_USERNAME", about: "The UCP administrator username"},
	{name: "ucp-password", env: "UCP_PASSWORD"},
	{name: "ucp-ca", env: "UCP_CA"},
	{name: "ucp-insecure-tls", env: "UCP_INSECURE_TLS", yes: true},
}

var (
	node     = option{name: "ucp-node", env: "UCP_NODE", about: "The hostname of the UCP node to deploy DTR"}
	existing = option{name: "existing-replica-id", env: "DTR_REPLICA_ID", about: "The ID of an existing DTR replica"}
	fresh    = option{name: "replica-id", env: "DTR_INSTALL_REPLICA_ID"}
	subnet   = option{name: "overlay-subnet", env: "DTR_OVERLAY_SUBNET"}
	migrated = option{name: "storage-migrated", env: "STORAGE_MIGRATED", yes: true}
	standard = option{name: "dtr-use-default-storage", env: "DTR_DEFAULT_STORAGE", yes: true}

	ports = []option{
		{name: "replica-http-port", env: "REPLICA_HTTP_PORT"},
		{name: "replica-https-port", env: "REPLICA_HTTPS_PORT"},
		{name: "replica-rethinkdb-cache-mb", env: "RETHINKDB_CACHE_MB"},
	}
	serving = []option{
		{name: "dtr-external-url", env: "DTR_EXTERNAL_URL"},
		{name: "dtr-ca", env: "DTR_CA"},
		{name: "dtr-cert", env: "DTR_CERT"},
		{name: "dtr-key", env: "DTR_KEY"},
		{name: "dtr-storage-volume", env: "DTR_STORAGE_VOLUME"},
		{name: "nfs-storage-url", env: "NFS_STORAGE_URL"},
		{name: "nfs-options", env: "NFS_OPTIONS"},
		{name: "async-nfs", env: "ASYNC_NFS", yes: true},
		{name: "http-proxy", env: "DTR_HTTP_PROXY"},
		{name: "https-proxy", env: "DTR_HTTPS_PROXY"},
		{name: "no-proxy", env: "DTR_NO_PROXY"},
		{name: "log-protocol", env: "LOG_PROTOCOL"},
		{name: "log-host", env: "LOG_HOST"},
		{name: "log-level", env: "LOG_LEVEL"},
		{name: "enable-pprof", env: "DTR_PPROF", yes: true},
		{name: "client-cert-auth-ca", env: "CLIENT_CA"},
		{name: "enable-client-cert-auth", env: "ENABLE_CLIENT_CERT_AUTH", yes: true},
	}
)

func options(lists ...[]option) []option {
	all := append([]option{}, common...)
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// given is what the caller of one command said.
type given map[string]string

func (g given) yes(name string) bool { return g[name] == "true" }

func truth(text string) (string, bool) {
	switch strings.ToLower(text) {
	case "1", "t", "true", "yes", "y":
		return "true", true
	case "", "0", "f", "false", "no", "n":
		return "false", true
	}
	return "", false
}

// parse reads flags and their twins. getenv is os.LookupEnv but for tests.
func parse(all []option, args []string, getenv func(string) (string, bool)) (given, error) {
	values, known := given{}, map[string]option{}
	set := func(o option, text string) error {
		if o.yes {
			word, ok := truth(text)
			if !ok {
				return fmt.Errorf("invalid boolean value %q for -%s", text, o.name)
			}
			text = word
		}
		values[o.name] = text
		return nil
	}
	for _, o := range all {
		known[o.name] = o
		if text, ok := getenv(o.env); ok && text != "" {
			if err := set(o, text); err != nil {
				return nil, err
			}
		}
	}
	if yes, ok := known["yes"]; ok {
		known["y"] = yes
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" || arg == "--" {
			return nil, fmt.Errorf("unexpected argument %q", arg)
		}
		name, text, joined := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if name == "help" || name == "h" {
			values["help"] = "true"
			continue
		}
		o, ok := known[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("flag provided but not defined: -%s", name)
		case o.yes && !joined:
			text = "true"
		case !joined && i+1 == len(args):
			return nil, fmt.Errorf("flag needs an argument: -%s", name)
		case !joined:
			i++
			text = args[i]
		}
		if err := set(o, text); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func usage(command string, all []option) string {
	lines := make([]string, 0, len(all))
	for _, o := range all {
		line := "   --" + o.name
		if !o.yes {
			line += " value"
		}
		lines = append(lines, line+"  [$"+o.env+"]")
	}
	sort.Strings(lines)
	return fmt.Sprintf("Usage: docker/dtr %s [command options]\n\nOptions:\n%s\n", command, strings.Join(lines, "\n"))
}
