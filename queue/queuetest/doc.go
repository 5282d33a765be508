// Package queuetest judges a queue.Storage: every promise of that interface is
// one named subtest.
//
//	func TestStorage(t *testing.T) {
//		queuetest.Run(t, queuetest.Config{
//			New: func(t testing.TB) queue.Storage { return open(t, t.TempDir()) },
//		})
//	}
package queuetest
