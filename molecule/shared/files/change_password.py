"""Changes a person's password as she does it: at a terminal, in answer to passwd's own questions.

Arguments: account, then the answers in the order of the questions. Prints what passwd said and its exit status. When
passwd asks more than there are answers, the input ends.
"""

import os
import pty
import sys

user, answers = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["LC_ALL"] = "C"
    os.execvp("runuser", ["runuser", "-u", user, "--", "passwd"])
said = question = b""
while True:
    try:
        piece = os.read(terminal, 1024)
    except OSError:  # Linux's way to say that the other side has closed a terminal
        break
    if not piece:
        break
    said += piece
    question += piece
    if question.rstrip(b" ").endswith(b":"):
        os.write(terminal, answers.pop(0).encode() + b"\n" if answers else b"\x04")
        question = b""
print(said.decode("utf-8", "replace"), "status", os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
