"""Forward and backward passes of the Llama family written out for packed rows of many adapters."""
