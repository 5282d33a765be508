// Package control is how an operator's tool talks to the process that owns a
// data directory: HTTP with JSON over the socket DIR/control.sock. The owner
// calls [Listen] once it holds the directory's lock and serves a handler with
// [Server]; a tool uses [Client]. What can be asked is the handler's business:
// this package has the socket, who may use it, the bounds, and the shape of
// answers.
//
//	l, err := control.Listen(dir)
//	srv := &control.Server{Handler: mux}
//	go srv.Serve(l)
//	...
//	srv.Shutdown(ctx) // before the lock is released
//
// # Who may ask
//
// The socket has mode 0600, and the kernel is asked for the uid at the other
// end of each connection: only the uid of the process and root are let in.
// Clients judge the server in the same way. There is no other authentication.
// Where the kernel cannot tell (systems other than Linux, macOS, FreeBSD and
// DragonFly BSD) Listen returns errors.ErrUnsupported.
//
// # Answers
//
// A short request ([Handle]) is answered with one JSON value; a long one
// ([Stream]) with JSON lines, each an object with one member:
//
//	{"progress":…}  how far it is; at most ten a second, the newest counts
//	{"item":…}      something found; none is left out
//	{"result":…}    the end: it is done
//	{"error":…}     the end: it failed
//
// A stream that ends in another way was cut off. A long request stops when its
// client goes. An error is {"error":{"code":…,"message":…}}: programs look at
// the code, which is stable, and people at the message, which may change.
//
// # Invariants
//
//   - I1: at the name control.sock there is never a socket with a mode other
//     than 0600, since it is made under another name and renamed.
//   - I2: a socket that a dead process left is replaced; something that is no
//     socket is not touched; Close removes only what Listen made.
//   - I3: a request is bounded in size, connections in number, and each write
//     in time: who does not read is cut off.
package control
