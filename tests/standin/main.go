// standin is every container of the stand-ins for UCP and DTR: its first argument says which.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"standin/dtr"
	"standin/front"
	"standin/ucp"
)

func main() {
	roles, names := map[string]func([]string) int{}, []string{}
	for _, some := range []map[string]func([]string) int{dtr.Roles(), front.Roles(), ucp.Roles()} {
		for name, role := range some {
			roles[name], names = role, append(names, name)
		}
	}
	if len(os.Args) < 2 || roles[os.Args[1]] == nil {
		sort.Strings(names)
		fmt.Fprintln(os.Stderr, "standin: the first argument is a role:", strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(roles[os.Args[1]](os.Args[2:]))
}
