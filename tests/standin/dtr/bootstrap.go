// Package dtr stands in for Docker Trusted Registry: the bootstrap image docker/dtr, which makes, joins, removes, repairs,
// saves and restores replicas through UCP, and the containers that a replica is. It knows the rules of the real one that a
// caller can run into, and nothing of registries.
package dtr

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strings"
)

type command struct {
	about   string
	began   string // the first line of its log
	options []option
	stdin   bool // is an archive: nothing can be asked for
	run     func(*session) error
}

func commands() map[string]command {
	return map[string]command{
		"install": {about: "Install Docker Trusted Registry", began: "installation", run: (*session).install,
			options: options([]option{node, fresh, subnet}, ports, serving)},
		"join": {about: "Add a new replica to an existing DTR cluster", began: "replica join", run: (*session).join,
			options: options([]option{node, fresh, existing,
				{name: "skip-network-test", env: "DTR_SKIP_NETWORK_TEST", yes: true},
				{name: "unsafe-join", env: "DTR_UNSAFE_JOIN", yes: true}}, ports)},
		"remove": {about: "Remove DTR replicas from a cluster", began: "replica remove", run: (*session).remove,
			options: options([]option{existing,
				{name: "replica-id", env: "DTR_REMOVE_REPLICA_ID"},
				{name: "replica-ids", env: "DTR_REMOVE_REPLICA_IDS", about: "A comma separated list of IDs of replicas to remove"}})},
		"destroy": {about: "Destroy a DTR replica's data", began: "replica destroy", run: (*session).destroy,
			options: options([]option{{name: "replica-id", env: "DTR_DESTROY_REPLICA_ID"}})},
		"emergency-repair": {about: "Recover DTR from loss of quorum", began: "emergency repair", run: (*session).repair,
			options: options([]option{existing, subnet,
				{name: "prune", env: "PRUNE", yes: true}, {name: "yes", env: "YES", yes: true}})},
		"backup": {about: "Create a backup of DTR", began: "backup", run: (*session).backup,
			options: options([]option{existing, {name: "offline-backup", env: "DTR_OFFLINE_BACKUP", yes: true}})},
		"restore": {about: "Install and restore DTR from an existing backup", began: "restore", run: (*session).restore, stdin: true,
			options: options([]option{node, fresh, subnet, standard}, ports, serving)},
		"reconfigure": {about: "Change DTR configurations", began: "reconfiguration", run: (*session).reconfigure,
			options: options([]option{existing, migrated}, ports, serving)},
		"upgrade": {about: "Upgrade DTR", began: "upgrade", options: options([]option{existing}),
			run: func(*session) error {
				return fmt.Errorf("upgrade is not available here: this stands in for Docker Trusted Registry")
			}},
	}
}

func images(version string) []string {
	list := []string{"docker/dtr:" + version}
	for _, component := range components {
		list = append(list, image(component, version))
	}
	sort.Strings(list)
	return list
}

// image is what a component runs.
func image(component, version string) string {
	switch component {
	case "rethinkdb":
		component = "rethink"
	case "scanningstore":
		component = "postgres"
	}
	return "docker/dtr-" + component + ":" + version
}

// Version is that of the image: its build sets it.
func Version() string {
	if version := os.Getenv("DTR_VERSION"); version != "" {
		return version
	}
	return "2.6.4"
}

// Bootstrap is the image docker/dtr; args are those after its name.
func Bootstrap(args []string) int {
	say, all := logger(), commands()
	names := []string{"images"}
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	if len(args) == 0 || contains([]string{"help", "--help", "-h"}, args[0]) {
		fmt.Printf("Usage: docker/dtr command [command options]\n\nCommands:\n   %s\n", strings.Join(names, "\n   "))
		return 0
	}
	switch args[0] {
	case "phase2":
		return phase2(say)
	case "images":
		if len(args) > 1 {
			say.fatal("flag provided but not defined: %s", args[1])
		}
		fmt.Println(strings.Join(images(Version()), "\n"))
		return 0
	}
	c, ok := all[args[0]]
	if !ok {
		say.fatal("unknown command %q; there are: %s", args[0], strings.Join(names, ", "))
	}
	values, err := parse(c.options, args[1:], os.LookupEnv)
	if err != nil {
		fmt.Fprint(os.Stderr, "Incorrect Usage.\n\n", usage(args[0], c.options), "\n")
		say.fatal("%s", err)
	}
	if values.yes("help") || values.yes("help-extended") {
		fmt.Print(usage(args[0], c.options))
		return 0
	}
	s := &session{command: args[0], version: Version(), given: values, options: c.options, say: say,
		in: bufio.NewReaderSize(os.Stdin, 64<<10), out: os.Stdout, prompts: !c.stdin}
	say.info("Beginning Docker Trusted Registry %s", c.began)
	if err := c.run(s); err != nil {
		say.fatal("%s", err)
	}
	return 0
}
