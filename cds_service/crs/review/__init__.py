"""Review of orders that are being chosen or signed: what speaks against each; nothing about an order that is right."""
