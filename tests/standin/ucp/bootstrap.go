package ucp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"standin/internal/logs"
)

// An option as the reference gives it; env is its twin, where there is one.
type option struct {
	name, env string
	plain     bool // takes no value
}

func flags(names ...string) []option {
	list := []option{}
	for _, name := range names {
		name, env, _ := strings.Cut(name, "=")
		list = append(list, option{strings.TrimPrefix(name, "-"), env, strings.HasPrefix(name, "-")})
	}
	return list
}

type command struct {
	options []option
	run     func(*session) error
}

// session is one run of the bootstrap.
type session struct {
	host
	command string
	me      self
	given   map[string][]string
	say     *logs.Logger
	in      *bufio.Reader
	fault   string
}

func (s *session) get(name string) string {
	if list := s.given[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

func (s *session) yes(name string) bool { return s.get(name) == "true" }

// old: 3.1 and before.
func old() bool { return line(Version()) < "3.2" }

func commands() map[string]command {
	backup := flags("-interactive", "passphrase", "id")
	if !old() {
		backup = flags("-interactive", "passphrase", "-no-passphrase", "file", "-include-logs")
	}
	refusing := func(text string) func(*session) error { return func(*session) error { return fmt.Errorf("%s", text) } }
	return map[string]command{
		"install": {flags("-interactive", "admin-username=UCP_ADMIN_USER", "admin-password=UCP_ADMIN_PASSWORD", "host-address=UCP_HOST_ADDRESS",
			"data-path-addr=UCP_DATA_PATH_ADDR", "san=UCP_HOSTNAMES", "unlock-key=UNLOCK_KEY", "license=UCP_LICENSE", "-existing-config",
			"-external-server-cert", "-preserve-certs", "-force-minimums", "-skip-cloud-provider-check", "controller-port", "swarm-port", "swarm-grpc-port",
			"kube-apiserver-port", "pod-cidr", "pull", "registry-username=REGISTRY_USERNAME", "registry-password=REGISTRY_PASSWORD"), (*session).install},
		"backup": {backup, (*session).backup},
		"restore": {flags("-interactive", "passphrase", "san=UCP_HOSTNAMES", "host-address=UCP_HOST_ADDRESS", "data-path-addr=UCP_DATA_PATH_ADDR",
			"unlock-key=UNLOCK_KEY", "-force-minimums", "swarm-grpc-port"), (*session).restore},
		"uninstall-ucp": {flags("-interactive", "id", "-purge-config", "pull", "registry-username=REGISTRY_USERNAME",
			"registry-password=REGISTRY_PASSWORD"), (*session).uninstall},
		"id":         {nil, (*session).id},
		"images":     {flags("-list", "pull", "registry-username=REGISTRY_USERNAME", "registry-password=REGISTRY_PASSWORD"), nil},
		"dump-certs": {flags("-ca", "-cluster", "-etcd"), (*session).dumpCerts},
		"support":    {flags("loglines", "-servicedriller", "nodes"), refusing("support is not available here: this stands in for Universal Control Plane")},
		"upgrade": {flags("-interactive", "id", "admin-username", "admin-password", "-force-minimums", "host-address", "-manual-worker-upgrade", "pull"),
			refusing("upgrade is not available here: this stands in for Universal Control Plane")},
		"example-config":    {nil, refusing("example-config is not available here: this stands in for Universal Control Plane")},
		"port-check-server": {flags("listen-address"), refusing("port-check-server is not available here: this stands in for Universal Control Plane")},
		"restart":           {nil, refusing("The restart command is deprecated.")},
		"stop":              {nil, refusing("The stop command is deprecated.")},
		"uninstall":         {flags("-interactive", "id"), refusing("The uninstall command is no longer used. Use the 'uninstall-ucp' command to uninstall UCP.")},
	}
}

var common = flags("-debug", "-jsonlog")

var short = map[string]string{"D": "debug", "i": "interactive"}

// parse reads flags and their twins; the flag wins.
func parse(all []option, args []string, getenv func(string) (string, bool)) (map[string][]string, error) {
	given, known := map[string][]string{}, map[string]option{}
	for _, o := range append(append([]option{}, common...), all...) {
		known[o.name] = o
		if text, ok := getenv(o.env); o.env != "" && ok && text != "" {
			given[o.name] = []string{text}
		}
	}
	flagged := map[string]bool{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || strings.Trim(arg, "-") == "" {
			return nil, fmt.Errorf("unexpected argument %q", arg)
		}
		name, text, joined := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if long, ok := short[name]; ok {
			name = long
		}
		o, ok := known[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("flag provided but not defined: -%s", name)
		case o.plain && !joined:
			text = "true"
		case o.plain && text != "true" && text != "false":
			return nil, fmt.Errorf("invalid boolean value %q for -%s", text, name)
		case !o.plain && !joined && i+1 == len(args):
			return nil, fmt.Errorf("flag needs an argument: -%s", name)
		case !o.plain && !joined:
			i++
			text = args[i]
		}
		if !flagged[name] {
			given[name] = nil
		}
		flagged[name] = true
		given[name] = append(given[name], text)
	}
	return given, nil
}

// Bootstrap is the image docker/ucp; args are those after its name.
func Bootstrap(args []string) int {
	untilTold()
	say, all := logs.New(), commands()
	names := []string{}
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		fmt.Printf("Docker Universal Control Plane Tool\n\nUsage: docker/ucp command [arguments...]\n\nCommands:\n   %s\n", strings.Join(names, "\n   "))
		return 0
	}
	c, ok := all[args[0]]
	if !ok {
		say.Fatalf("unknown command %q; there are: %s", args[0], strings.Join(names, ", "))
	}
	given, err := parse(c.options, args[1:], os.LookupEnv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "Incorrect Usage.")
		say.Fatalf("%s", err)
	}
	s := &session{host: local(), command: args[0], given: given, say: say, in: bufio.NewReaderSize(os.Stdin, 1<<16)}
	say.JSON, say.Debug = s.yes("jsonlog"), s.yes("debug")
	if s.command == "images" {
		for _, name := range images() {
			fmt.Println(name)
		}
		return 0
	}
	if err := s.Do("GET", "/_ping", nil, new([]byte)); err != nil {
		say.Fatalf("unable to get valid Docker client: unable to ping Docker daemon: %s", err)
	}
	if s.me, err = s.self(); err != nil {
		say.Fatalf("unable to read the engine's state: %s", err)
	}
	if err := s.readFault(); err != nil {
		say.Fatalf("%s", err)
	}
	word, seconds, _ := strings.Cut(s.fault, "=")
	switch word {
	case "hang":
		select {}
	case "slow":
		if pause, err := time.ParseDuration(seconds + "s"); err == nil {
			time.Sleep(pause)
		}
	}
	if err := c.run(s); err != nil {
		say.Fatalf("%s", err)
	}
	if s.fault == "fail-after" {
		say.Fatalf("fault injected: %s fails after it changed everything", s.command)
	}
	return 0
}

// ---- faults

// readFault: the file named after the command in the volume standin-faults of this engine.
func (s *session) readFault() error {
	if command, fault, ok := strings.Cut(os.Getenv("STANDIN_FAULT"), ":"); ok && command == s.command {
		s.fault = fault
		return nil
	}
	if err := s.Do("GET", "/volumes/standin-faults", nil, nil); err != nil {
		return gone(err)
	}
	c, err := s.carrier([]string{"standin-faults"})
	if err != nil {
		return err
	}
	defer c.close()
	if text, err := c.read("standin-faults/" + s.command); err == nil {
		s.fault = strings.TrimSpace(string(text))
	}
	return nil
}

// before is called when all is checked and nothing is changed yet.
func (s *session) before() error {
	if s.fault == "fail-before" {
		return fmt.Errorf("fault injected: %s fails before it changes anything", s.command)
	}
	return nil
}

// ---- what commands share

func (s *session) ask(prompt string) (string, error) {
	fmt.Fprint(os.Stderr, prompt)
	text, err := s.in.ReadString('\n')
	text = strings.TrimSpace(text)
	if err != nil && text == "" {
		fmt.Fprintln(os.Stderr)
		return "", fmt.Errorf("unable to read the answer to %q: %w", strings.TrimSpace(prompt), err)
	}
	return text, nil
}

// manager: this node must be one, of a swarm that decides.
func (s *session) manager() error {
	switch {
	case !s.me.Active:
		return fmt.Errorf("this engine is in no swarm")
	case !s.me.Manager:
		return fmt.Errorf("this node is not a swarm manager: %s must be run on a manager", s.command)
	}
	if _, err := s.nodes(); err != nil {
		return fmt.Errorf("the swarm does not answer: %w", err)
	}
	return nil
}

// instance is the ID of the UCP that is installed, by its service or by this node's containers.
func (s *session) instance() (id, version string, err error) {
	var service struct {
		Spec struct{ Labels map[string]string }
	}
	if err := s.Do("GET", "/services/ucp-agent", nil, &service); err == nil {
		return service.Spec.Labels[labelID], service.Spec.Labels[labelVersion], nil
	}
	ours, err := s.ours()
	if err != nil {
		return "", "", err
	}
	for _, name := range []string{"ucp-controller", "ucp-proxy"} {
		if c, ok := ours[name]; ok {
			return c.Labels[labelID], c.Labels[labelVersion], nil
		}
	}
	return "", "", fmt.Errorf("unable to find a UCP instance: UCP is not installed on this engine")
}

func (s *session) id() error {
	id, _, err := s.instance()
	if err == nil {
		fmt.Println(id)
	}
	return err
}

func (s *session) dumpCerts() error {
	volume := "ucp-client-root-ca"
	if s.yes("cluster") {
		volume = "ucp-cluster-root-ca"
	}
	if err := s.Do("GET", "/volumes/"+volume, nil, nil); err != nil {
		return err
	}
	c, err := s.carrier([]string{volume})
	if err != nil {
		return err
	}
	defer c.close()
	text, err := c.read(volume + "/cert.pem")
	os.Stdout.Write(text)
	return err
}

// nodeTask is the container of a task that runs once on a node: "look" fails if something of UCP is there, "clear" removes it.
func nodeTask(args []string) int {
	untilTold()
	say, h := logs.New(), local()
	if len(args) == 1 && args[0] == "clear" {
		if err := h.clear(); err != nil {
			say.Fatalf("%s", err)
		}
		return 0
	}
	containers, named, err := h.left()
	if err != nil {
		say.Fatalf("%s", err)
	}
	if len(containers)+len(named) > 0 {
		text, _ := json.Marshal(append(containers, named...))
		say.Fatalf("UCP components are here: %s", text)
	}
	return 0
}
