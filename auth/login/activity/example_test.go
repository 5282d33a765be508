package activity_test

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/activity"
)

// Who logged in last, as one asks for it.
func Example() {
	var (
		ctx     = context.Background()
		svc     = &login.Service{Backend: &login.Memory{}}
		entries activity.Store // of the program; nil keeps all in memory
	)
	logins := &activity.Log{Store: entries} // Load and Save a value of an account
	svc.Observe = logins.Observe
	err := logins.Flush(ctx, false) // every minute; true at the end
	if err != nil {
		fmt.Println(err)
	}
	a, err := logins.Account(ctx, "alice@example.org")
	fmt.Println(a.Last == nil, a.Failed, err)
	// Output: true 0 <nil>
}
