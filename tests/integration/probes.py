"""Programs that run inside a place, by `python3 -c`. Standard library only."""

HAMMER = """
import select, socket, sys
PATH = sys.argv[1]
print("hammering", flush=True)
attempts = refused = 0
while attempts % 64 or not select.select([sys.stdin], [], [], 0)[0]:
    attempts += 1
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(PATH)
        except PermissionError:
            refused += 1
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        else:
            print(f"in after {attempts} attempts", flush=True)
            break
print(f"{attempts} attempts, {refused} refused", flush=True)
"""
"""Connect to argv[1] without pause until a line comes on stdin, or until it gets in once, which it then says."""
