"""Events on their way to other machines: out of one server in order, and gone only when the other side has them."""
