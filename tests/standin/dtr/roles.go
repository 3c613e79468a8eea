package dtr

// Roles are the containers that this package can be, by the word after the program's name.
func Roles() map[string]func(args []string) int {
	roles := map[string]func([]string) int{"dtr": Bootstrap}
	for _, component := range components {
		roles["dtr-"+component] = Idle
	}
	roles["dtr-rethinkdb"], roles["dtr-nginx"] = Rethink, Nginx
	return roles
}
